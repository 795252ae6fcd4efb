import type pg from 'pg';

/** A text gets its name when it comes for this time; what a process asks only at its start needs none. */
const REPEATED = 5;
/** Each costs every connection that uses it some 20–60 KB in the server. */
const MOST_NAMES = 128;
/** Texts that are counted; those with lists written out come in any length and must not be remembered without end. */
const MOST_COUNTED = 1024;
const LONGEST_TEXT = 8192;

/**
 * Names the parameterised statements that come again and again, so that PostgreSQL parses them once a connection and,
 * where a plan without the parameters' values is as good, plans them once (ADR 58). A statement whose columns are not
 * written out (`*`) never gets a name: a migration that adds a column would break it in every connection that is open.
 * Where a column's type changes under a named one, all names are forgotten and, outside of a transaction, it is asked again.
 */
export function prepareRepeated(pool: pg.Pool): void {
  const statements = repeated();
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    client.query = ((...args: unknown[]) => {
      const [text, values, ...rest] = args;
      const name = typeof text === 'string' && Array.isArray(values) && values.length > 0 && statements.nameOf(text);
      if (!name) return query(...args);
      const alone = client.getTransactionStatus() === 'I';
      const answer = query({ name, text, values }, ...rest);
      if (!(answer instanceof Promise)) return answer;
      return answer.catch((error: unknown) => {
        if (!isOutdated(error)) throw error;
        statements.forget();
        if (!alone) throw error;
        return query(text, values);
      });
    }) as typeof client.query;
  });
}

const ALL_COLUMNS = /(?<!count\()\*/i;

/** What was bound would answer with other columns than what was prepared; nothing of it has run. */
const isOutdated = (error: unknown): boolean =>
  error instanceof Error && (error as { code?: unknown }).code === '0A000' && /cached plan/.test(error.message);

function repeated() {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  let named = 0;
  return {
    nameOf(text: string): string | undefined {
      const known = names.get(text);
      if (known || names.size >= MOST_NAMES) return known;
      const times = (counts.get(text) ?? 0) + 1;
      if (times < REPEATED || text.length > LONGEST_TEXT || ALL_COLUMNS.test(text)) {
        if (counts.size >= MOST_COUNTED) counts.clear();
        counts.set(text, times);
        return undefined;
      }
      counts.delete(text);
      named += 1;
      const name = `s${named}`;
      names.set(text, name);
      return name;
    },
    forget(): void {
      names.clear();
    },
  };
}
