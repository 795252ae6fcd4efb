import { ERRORS, type ErrorCode } from '#kernel/errors.ts';
import { ERROR_HINTS, type ErrorRoom } from './error-hints.ts';
import { markdownTable } from './table.ts';

/** `docs/errors.md`: every code with its status, what it means and what to do. */
export function errorsPage(): string {
  const sections = (Object.entries(ERROR_HINTS) as [ErrorRoom, Partial<Record<ErrorCode, string>>][]).map(
    ([room, hints]) =>
      `## ${room}\n\n${markdownTable(
        ['code', 'status', 'means', 'what to do'],
        (Object.keys(hints) as ErrorCode[]).map((code) => row(code, hints[code] ?? '')),
      )}`,
  );
  return `<!-- made by scripts/docs.ts from src/kernel/errors.ts and scripts/docs/error-hints.ts -->

# Errors

An error is answered as \`application/problem+json\` (RFC 9457): \`type\` is \`urn:caudal:error:<code>\`, and beside
\`title\`, \`status\` and \`detail\` there are \`code\` (stable; program against it), often \`hint\`, for invalid input
\`errors: [{field, code, message}]\`, and \`trace_id\`: \`caudal trace <id> --logs\` shows what happened. 429 and 503 carry
\`Retry-After\` in seconds. The \`error\` of a file or a task holds \`code\`, \`message\` and \`hint\` from the same table.

${sections.join('\n')}`;
}

function row(code: ErrorCode, hint: string): string[] {
  const [status, title] = ERRORS[code];
  return [`<a id="${code}"></a>\`${code}\``, String(status), title, hint];
}
