import { fail } from '#kernel/errors.ts';

export type ResultFormat = 'json' | 'ndjson' | 'csv' | 'parquet' | 'xlsx';

/** Suffix of the path, content type and the media types of `Accept` that ask for it. */
export const FORMATS: Record<ResultFormat, { contentType: string; accepts: readonly string[] }> = {
  json: { contentType: 'application/json; charset=utf-8', accepts: ['application/json', 'application/*', '*/*'] },
  ndjson: {
    contentType: 'application/x-ndjson; charset=utf-8',
    accepts: ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
  },
  csv: { contentType: 'text/csv; charset=utf-8; header=present', accepts: ['text/csv', 'text/*'] },
  parquet: {
    contentType: 'application/vnd.apache.parquet',
    accepts: ['application/vnd.apache.parquet', 'application/x-parquet'],
  },
  xlsx: {
    contentType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    accepts: ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  },
};

export const SUFFIXES = Object.keys(FORMATS) as ResultFormat[];

const BY_MEDIA_TYPE = new Map<string, ResultFormat>(
  SUFFIXES.flatMap((format) => FORMATS[format].accepts.map((type): [string, ResultFormat] => [type, format])),
);

/** The format that `Accept` likes best; a suffix goes before it. @throws not_acceptable */
export function negotiate(accept: string | undefined): ResultFormat {
  if (!accept || accept === '*/*') return 'json';
  const wishes = accept
    .split(',')
    .map((wish) => {
      const [type = '', ...parameters] = wish.split(';').map((part) => part.trim().toLowerCase());
      const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1);
      return { format: BY_MEDIA_TYPE.get(type), quality };
    })
    .filter(({ format, quality }) => format !== undefined && quality > 0)
    .sort((a, b) => b.quality - a.quality);
  const best = wishes[0]?.format;
  if (best) return best;
  throw fail('not_acceptable', `None of the formats in Accept is available: ${accept.slice(0, 200)}`, {
    hint: `Ask for one of ${SUFFIXES.map((format) => FORMATS[format].accepts[0]).join(', ')}, or add a suffix such as .csv.`,
  });
}

/** RFC 6266, with an ASCII fallback. */
export function attachment(name: string, format: ResultFormat): string {
  const filename = `${name}.${format}`;
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
