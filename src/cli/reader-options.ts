import { type Context, type Option, UsageError } from './command.ts';

/** How the file is read where what is sniffed is not what is meant. */
export const READER_OPTIONS = {
  replace: { type: 'boolean', doc: 'Put the rows in place of what the dataset holds' },
  format: { type: 'string', value: 'FORMAT', doc: 'csv, tsv, ndjson, json, parquet or xlsx' },
  delimiter: { type: 'string', value: 'TEXT', doc: 'Between fields; \\t is a tab' },
  quote: { type: 'string', value: 'TEXT', doc: "Around fields; '' when nothing is quoted" },
  escape: { type: 'string', value: 'TEXT', doc: 'Before a quote within quotes' },
  encoding: { type: 'string', value: 'NAME', doc: 'Such as utf-8 or windows-1252' },
  decimal: { type: 'string', value: 'TEXT', doc: '. or ,' },
  'date-order': { type: 'string', value: 'ORDER', doc: 'ymd, dmy or mdy' },
  header: { type: 'string', value: 'yes|no', doc: 'Whether the first line names the columns' },
  skip: { type: 'string', value: 'N', doc: 'Lines above the header' },
  sheet: { type: 'string', value: 'NAME', doc: 'Only this sheet of a workbook' },
  type: { type: 'string', multiple: true, value: 'COLUMN=TYPE', doc: 'A column’s type, instead of inferring it' },
} as const satisfies Record<string, Option>;

const PLAIN = ['format', 'quote', 'escape', 'encoding', 'decimal', 'sheet'] as const;

/** As the API's reader options. @throws UsageError */
export function readerOptions(context: Context): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const name of PLAIN) {
    if (context.text(name) !== undefined) options[name] = context.text(name);
  }
  if (context.flag('replace')) options['mode'] = 'replace';
  const delimiter = context.text('delimiter');
  if (delimiter !== undefined) options['delimiter'] = delimiter.replaceAll('\\t', '\t');
  if (context.text('date-order')) options['date_order'] = context.text('date-order');
  const header = context.text('header');
  if (header !== undefined) options['header'] = yes(header);
  const skip = context.text('skip');
  if (skip !== undefined) {
    if (!/^\d+$/.test(skip)) throw new UsageError('--skip must be a number of lines.');
    options['skip'] = Number(skip);
  }
  const types = context.all('type').map((text) => {
    const at = text.lastIndexOf('=');
    if (at < 1) throw new UsageError(`--type ${text}: write COLUMN=TYPE, such as zip=text.`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  if (types.length > 0) options['types'] = Object.fromEntries(types);
  return options;
}

function yes(text: string): boolean {
  if (['yes', 'true', '1'].includes(text)) return true;
  if (['no', 'false', '0'].includes(text)) return false;
  throw new UsageError('--header is yes or no.');
}
