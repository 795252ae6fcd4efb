/** Functions apart from the schema: TypeBox takes 100 ms of CPU to import, and children that read files need only these. */
export type { Column } from './column-schema.ts';
export { columnType, duckdbType, quoteIdentifier, quoteLiteral, tryCast } from './duckdb.ts';

const DECIMAL = /^decimal\((\d{1,2}),(\d{1,2})\)$/;

/** The system columns every segment has; never part of a dataset's own columns. */
export const SYSTEM_COLUMNS = ['_source', '_line', '_loaded_at'] as const;

/**
 * The narrowest type that holds every value of both (inferred schemas widen): equal types stay,
 * integer → decimal → number, date → timestamp, anything else → text.
 */
export function widen(a: string, b: string): string {
  if (a === b) return a;
  const numeric = (type: string): boolean => type === 'integer' || type === 'number' || DECIMAL.test(type);
  if (numeric(a) && numeric(b)) {
    if (a === 'number' || b === 'number') return 'number';
    const [pa, sa] = decimalSize(a);
    const [pb, sb] = decimalSize(b);
    const scale = Math.max(sa, sb);
    const precision = Math.max(pa - sa, pb - sb) + scale;
    return precision > 38 ? 'number' : `decimal(${precision},${scale})`;
  }
  const pair = [a, b].sort().join('+');
  if (pair === 'date+timestamp') return 'timestamp';
  return 'text';
}

function decimalSize(type: string): [precision: number, scale: number] {
  const match = DECIMAL.exec(type);
  return match ? [Number(match[1]), Number(match[2])] : [19, 0];
}
