const LONGEST = 80;
/** What follows the name proper: kinds of data, then of packing, in either order. */
const EXTENSION =
  /\.(csv|tsv|tab|psv|txt|dat|data|json|geojson|ndjson|jsonl|parquet|pq|xlsx|xlsm|xls|gz|gzip|zst|zstd|bz2|zip)$/i;

/**
 * The dataset a file is named for: `Años 2020 (final).csv.gz` → `años_2020_final`. Letters and digits
 * of any script stay, lower-cased because SQL folds case; all else becomes one `_`. Never empty, never
 * longer than 80 characters, never a path.
 */
export function tableName(filename: string): string {
  const base = filename.slice(-1000).split(/[/\\]/).at(-1) ?? '';
  let stem = base;
  while (EXTENSION.test(stem) && stem.replace(EXTENSION, '') !== '') stem = stem.replace(EXTENSION, '');
  const name = stem
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '_')
    .replace(/^[_\p{M}]+|_+$/gu, '');
  const short = [...name].slice(0, LONGEST).join('').replace(/_+$/u, '');
  return short === '' ? 'table' : short;
}

/** The first of `name`, `name_2`, `name_3` … that is not taken; names that differ in case only are the same. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  if (!taken(name)) return name;
  let number = 2;
  while (taken(`${name}_${number}`)) number += 1;
  return `${name}_${number}`;
}
