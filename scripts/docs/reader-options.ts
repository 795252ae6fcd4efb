import { ReaderOptions } from '#contract/reader-options.ts';
import { markdownTable } from './table.ts';

/** What each option does, in a sentence; the contract says which there are and what they may hold. */
const MEANING: Record<keyof typeof ReaderOptions.properties, string> = {
  format: 'What the file is. Binary formats are told by their content whatever is said here.',
  encoding: 'Of the text: any name that iconv knows, such as `utf-8`, `windows-1252`, `shift_jis`.',
  delimiter: 'Between fields, one to four characters.',
  quote: 'Around fields. Empty: nothing is quoted.',
  escape: 'Before a quote inside quotes.',
  header: 'Whether the first line of the table names the columns.',
  skip: 'Lines above the header (above the first record, without a header).',
  comment: 'Lines that begin with it are skipped.',
  decimal: 'The decimal mark of numbers.',
  thousands: 'The mark between groups of digits.',
  date_order: 'What `03/04/2020` means.',
  null_values: 'Texts that mean "no value", besides the empty one.',
  sheet: 'Only this sheet of a workbook, also a hidden one.',
  entry: 'Only this file of a zip.',
  types: 'Column → type, instead of inferring it. What does not fit goes to quarantine.',
  mode: '`replace`: the rows stand in place of all that the dataset holds. `append`: added even if this file was loaded before.',
};

interface Described {
  type?: string;
  enum?: readonly string[];
}

/** Every reader option of the contract. */
export function readerOptionsTable(): string {
  const rows = Object.entries(ReaderOptions.properties).map(([name, schema]) => [
    `\`${name}\``,
    holds(schema as Described),
    MEANING[name as keyof typeof MEANING],
  ]);
  return markdownTable(['option', 'holds', 'what it does'], rows);
}

function holds({ type, enum: values }: Described): string {
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  return type === 'array' ? 'list of texts' : type === 'string' ? 'text' : (type ?? '');
}
