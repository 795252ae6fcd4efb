import { duckdbType, quoteLiteral, tryCast } from '#contract/columns.ts';
import type { Sniffed } from '#contract/reader-options.ts';

const DATE_FORMATS: Record<string, string[]> = {
  dmy: ['%d/%m/%Y', '%d-%m-%Y', '%d.%m.%Y', '%d/%m/%y', '%d-%m-%y', '%d.%m.%y'],
  mdy: ['%m/%d/%Y', '%m-%d-%Y', '%m.%d.%Y', '%m/%d/%y', '%m-%d-%y', '%m.%d.%y'],
};
const TIMES = ['', ' %H:%M', ' %H:%M:%S', ' %H:%M:%S.%f', 'T%H:%M:%S'];

/** `text` (SQL of type VARCHAR) as a value of `type`, NULL when it is none, read as the source's file was. */
export function textToValue(
  text: string,
  type: string,
  sniffed: Pick<Sniffed, 'decimal' | 'thousands' | 'date_order'>,
): string {
  const native = duckdbType(type);
  if (type === 'text' || type === 'file') return text;
  const trimmed = `nullif(trim(${text}), '')`;
  if (type === 'integer' || type === 'number' || type.startsWith('decimal')) {
    const number = plainNumber(trimmed, sniffed);
    const cast = tryCast(number, type);
    if (type === 'number') return cast;
    const exact = `TRY_CAST(${number} AS DECIMAL(38,18)) IS NOT DISTINCT FROM TRY_CAST(${cast} AS DECIMAL(38,18))`;
    return `CASE WHEN ${exact} THEN ${cast} END`;
  }
  const formats = DATE_FORMATS[sniffed.date_order ?? ''];
  if (formats && (type === 'date' || type === 'timestamp')) {
    const tried = type === 'date' ? formats : formats.flatMap((format) => TIMES.map((time) => format + time));
    const list = `[${tried.map(quoteLiteral).join(', ')}]`;
    return `coalesce(CAST(try_strptime(${trimmed}, ${list}) AS ${native}), TRY_CAST(${trimmed} AS ${native}))`;
  }
  return tryCast(trimmed, type);
}

function plainNumber(text: string, { decimal, thousands }: Pick<Sniffed, 'decimal' | 'thousands'>): string {
  const joined = thousands ? `replace(${text}, ${quoteLiteral(thousands)}, '')` : text;
  return decimal === ',' ? `replace(${joined}, ',', '.')` : joined;
}
