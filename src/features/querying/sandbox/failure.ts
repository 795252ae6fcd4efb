import { Refusal } from './gate.ts';
import type { Failure } from './protocol.ts';

/** DuckDB's error with `errors_as_json`. */
interface EngineError {
  exception_type: string;
  exception_message: string;
  position?: string;
}

const CODES: Record<string, Failure['code']> = {
  Parser: 'sql_syntax',
  Syntax: 'sql_syntax',
  Permission: 'sql_refused',
  'Out of Memory': 'sql_too_greedy',
  Interrupt: 'sql_timeout',
  INTERRUPT: 'sql_timeout',
  IO: 'internal',
  INTERNAL: 'internal',
  FATAL: 'internal',
};

const HINTS: Partial<Record<Failure['code'], string>> = {
  sql_too_greedy: 'Filter or aggregate earlier, select fewer columns, or ask for a streamed format such as .csv.',
  sql_refused: 'One SELECT over your datasets, with DuckDB’s pure functions; no files, settings or other statements.',
};

export function toFailure(error: unknown): Failure {
  if (error instanceof Refusal) return failure('sql_refused', error.message, error.position);
  const engine = readEngineError(error);
  if (!engine) return allocation(error) ?? failure('internal', (error as Error).message);
  const { exception_type, exception_message } = engine;
  const position = engine.position === undefined ? undefined : Number(engine.position);
  if (/disabled by configuration|configuration has been locked/.test(exception_message)) {
    return failure('sql_refused', 'The query wants what the sandbox does not allow.', position);
  }
  const code = CODES[exception_type] ?? 'sql_error';
  return failure(code, plain(exception_message), position);
}

interface UnparsedTree {
  error_type?: string;
  error_message?: string;
  position?: string;
}

/** `json_serialize_sql` reports what it cannot parse as a value; the parser counts code points, the binder bytes. */
export function parseFailure(tree: UnparsedTree, query: string): Failure {
  const message = plain(tree.error_message ?? 'The query could not be parsed.');
  if (tree.error_type === 'parser') {
    const before = tree.position === undefined ? undefined : [...query].slice(0, Number(tree.position)).join('');
    return failure('sql_syntax', message, before === undefined ? undefined : Buffer.byteLength(before));
  }
  if (/Only SELECT/.test(message)) {
    return failure('sql_refused', 'Only SELECT is allowed: queries read, they change nothing.');
  }
  return failure('sql_refused', message);
}

function failure(code: Failure['code'], message: string, position?: number): Failure {
  const hint = HINTS[code];
  return {
    code,
    message,
    ...(hint ? { hint } : {}),
    ...(position === undefined || !Number.isSafeInteger(position) ? {} : { position }),
  };
}

function readEngineError(error: unknown): EngineError | undefined {
  try {
    const parsed = JSON.parse((error as Error).message) as EngineError;
    return typeof parsed.exception_type === 'string' ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function allocation(error: unknown): Failure | undefined {
  const message = String((error as Error).message);
  if (!/bad_alloc|Out of Memory|Array buffer allocation|Invalid string length/i.test(message)) return undefined;
  return failure('sql_too_greedy', 'The query needs more memory than it may use.');
}

/** The first paragraph: lists of candidate functions and settings to change are no help here. */
function plain(message: string): string {
  return (
    message
      .split(/\n\s*\n|\n\tCandidate functions|\nPossible solutions/)[0]
      ?.trim()
      .slice(0, 1000) ?? message
  );
}
