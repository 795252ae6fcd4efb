import { quoteIdentifier, quoteLiteral } from '#contract/columns.ts';
import type { ReadContext } from '../reader.ts';
import { type Written, writeTable } from '../write.ts';
import type { ColumnPlan } from './infer.ts';
import { KINDS, NULL_WORDS, TEXT } from './kinds.ts';

/** A CSV that DuckDB reads with nothing left to guess: UTF-8, one line end, all rows of one width. */
export interface CsvSource {
  path: string;
  delimiter: string;
  quote: string;
  escape: string;
  /** Pinned, because DuckDB detects it even where nothing is to be detected, and also inside quotes. */
  newline: '\n' | '\r\n';
  /** Physical lines above the first record. */
  skip: number;
  /** The first column is the line number; otherwise line = first_line + position. */
  numbered: boolean;
  first_line: number;
  /** Longest record in bytes, as far as it is known. */
  longest: number;
  /** Texts that mean "no value" in every column, beside the empty one. */
  null_values: string[];
}

/** A value does not fit the type its column was given. */
export class Misfit extends Error {}
/** DuckDB does not read the file as the sniffed dialect says. */
export class Malformed extends Error {}

const DEFAULT_LINE = 2_000_000;

function columnOf(index: number): string {
  return `c${index}`;
}

/** `FROM read_csv(…)` with every option pinned; `types` by position. */
function scan(source: CsvSource, types: string[]): string {
  const columns = types.map((type, index) => `'${columnOf(index)}': '${type}'`);
  if (source.numbered) columns.unshift("'_line': 'BIGINT'");
  const line =
    source.longest > DEFAULT_LINE
      ? `, max_line_size = ${source.longest + 1024}, buffer_size = ${2 * source.longest + 4096}, parallel = false`
      : '';
  const nulls = ['', ...source.null_values].map(quoteLiteral).join(', ');
  return `read_csv(${quoteLiteral(source.path)}, auto_detect = false, header = false, skip = ${source.skip},
    delim = ${quoteLiteral(source.delimiter)}, quote = ${quoteLiteral(source.quote)},
    escape = ${quoteLiteral(source.escape)}, comment = '', columns = {${columns.join(', ')}},
    new_line = '${source.newline === '\r\n' ? '\\r\\n' : '\\n'}', nullstr = [${nulls}], strict_mode = true, null_padding = false${line})`;
}

/** Only a plain DOUBLE may be cast by the CSV reader itself (see kinds.ts). */
function directType(plan: ColumnPlan): string {
  return plan.kind.id === 'number' && !plan.trim && plan.nulls.length === 0 ? 'DOUBLE' : 'VARCHAR';
}

function expression(plan: ColumnPlan, index: number): string {
  const column = columnOf(index);
  if (directType(plan) === 'DOUBLE') return column;
  const value = plan.trim ? `nullif(trim(${column}), '')` : column;
  const read = plan.kind.read(value);
  if (plan.nulls.length === 0) return read;
  return `CASE WHEN ${column} IN (${plan.nulls.map(quoteLiteral).join(', ')}) THEN NULL ELSE ${read} END`;
}

/** @throws Misfit, Malformed */
export async function writeTyped(
  context: ReadContext,
  source: CsvSource,
  plans: ColumnPlan[],
  source_id: string,
  row_group_rows?: number,
): Promise<Written> {
  const select = plans.map((plan, index) => `${expression(plan, index)} AS ${quoteIdentifier(plan.name)}`);
  if (source.numbered) select.push('_line');
  try {
    return await writeTable(context, {
      relation: `SELECT ${select.join(', ')} FROM ${scan(source, plans.map(directType))}`,
      columns: plans.map((plan) => ({ name: plan.name, type: plan.kind.type })),
      first_line: source.numbered ? null : source.first_line,
      source_id,
      ...(row_group_rows === undefined ? {} : { row_group_rows }),
    });
  } catch (error) {
    throw classify(error);
  }
}

function classify(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { message } = error;
  if (/does not fit|Conversion Error|Could not (convert|parse)|Failed to cast|Malformed JSON/i.test(message)) {
    return new Misfit(message, { cause: error });
  }
  if (/CSV|INTERRUPT/i.test(message)) return new Malformed(message, { cause: error });
  return error;
}

const WORDS = [...NULL_WORDS].map(quoteLiteral).join(', ');

/**
 * Infers anew, over all rows instead of the sample, the columns that did not fit: first which they
 * are, then what they are. Two passes over the text, and only ever after a surprise.
 */
export async function inferExactly(
  context: ReadContext,
  source: CsvSource,
  plans: ColumnPlan[],
): Promise<ColumnPlan[]> {
  const from = scan(
    source,
    plans.map(() => 'VARCHAR'),
  );
  const open = plans.flatMap((plan, index) => (plan.kind === TEXT || plan.declared ? [] : [index]));
  const fits = await ask(
    context,
    from,
    open.map((index) => ({ index, kind: plans[index]?.kind ?? TEXT })),
  );
  const misfits = open.filter((_, at) => !fits[at]);
  const questions = misfits.flatMap((index) => KINDS.map((kind) => ({ index, kind })));
  const answers = await ask(context, from, questions);
  const facts = await factsOf(context, from, open);
  return plans.map((plan, index) => {
    const fact = facts.get(index);
    if (fact === undefined) return plan;
    const possible = questions
      .filter((question, at) => question.index === index && answers[at])
      .map(({ kind }) => kind);
    const kind = misfits.includes(index) ? (fact.values > 0 ? (possible[0] ?? TEXT) : TEXT) : plan.kind;
    if (kind === TEXT) return { ...plan, kind, nulls: fact.nulls.filter((word) => word === '\\N'), trim: false };
    return { ...plan, kind, nulls: fact.nulls, trim: fact.trim };
  });
}

async function ask(
  context: ReadContext,
  from: string,
  questions: { index: number; kind: (typeof KINDS)[number] }[],
): Promise<boolean[]> {
  if (questions.length === 0) return [];
  const tests = questions.map(({ index, kind }) => {
    const value = `trim(${columnOf(index)})`;
    return `coalesce(bool_and(${value} IS NULL OR ${value} = '' OR lower(${value}) IN (${WORDS}) OR ${kind.test(value)}), true)`;
  });
  const reader = await context.connection.runAndReadAll(`SELECT ${tests.join(', ')} FROM ${from}`);
  return (reader.getRows()[0] ?? []).map((value) => value === true);
}

interface Fact {
  values: number;
  nulls: string[];
  trim: boolean;
}

async function factsOf(context: ReadContext, from: string, indexes: number[]): Promise<Map<number, Fact>> {
  const facts = new Map<number, Fact>();
  if (indexes.length === 0) return facts;
  const asked = indexes.map((index) => {
    const column = columnOf(index);
    const word = `lower(trim(${column})) IN (${WORDS})`;
    return `count(*) FILTER (NOT ${word}), to_json(list(DISTINCT ${column}) FILTER (${word})), bool_or(${column} <> trim(${column}))`;
  });
  const reader = await context.connection.runAndReadAll(`SELECT ${asked.join(', ')} FROM ${from}`);
  const row = reader.getRows()[0] ?? [];
  for (const [at, index] of indexes.entries()) {
    const [values, nulls, trim] = row.slice(at * 3, at * 3 + 3);
    facts.set(index, {
      values: Number(values),
      nulls: (JSON.parse(String(nulls ?? '[]')) as string[] | null) ?? [],
      trim: trim === true,
    });
  }
  return facts;
}
