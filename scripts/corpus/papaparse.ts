import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { normalise } from '../pollock.ts';
import { asText, type Corpus, type CorpusResult, type Outcome } from './corpus.ts';

interface Case {
  suite: string;
  description: string;
  input: string;
  config: Record<string, unknown>;
  usesFunction: boolean;
  expected: { data?: unknown[]; errors?: { code: string }[] } | null;
}

/** Settings that are about Papa Parse's interface, not about what a CSV means. */
const INTERFACE = [
  'preview',
  'transformHeader',
  'transform',
  'dynamicTyping',
  'skipFirstNLines',
  'fastMode',
  'newline',
];

/**
 * Parse cases of Papa Parse. Those that say what a CSV means are compared cell by cell (as typed
 * values; blank lines are no records here); the others, and those whose meaning Caudal takes
 * otherwise on purpose, are named with the reason.
 */
export const papaparse: Corpus = {
  name: 'papaparse',
  async run(folder, read) {
    const cases = JSON.parse(await readFile(join(folder, 'cases.json'), 'utf8')) as Case[];
    const directory = await mkdtemp(join(tmpdir(), 'caudal-papa-'));
    try {
      const results: CorpusResult[] = [];
      for (const [index, entry] of cases.entries()) {
        const path = join(directory, `${index}.csv`);
        await writeFile(path, entry.input);
        const outcome = await read(path, optionsOf(entry));
        results.push({ ...judge(entry, outcome), file: `${String(index).padStart(3, '0')} ${entry.description}` });
      }
      return results;
    } finally {
      await rm(directory, { recursive: true });
    }
  },
};

function optionsOf({ config }: Case): ReaderOptions {
  const text = (key: string, longest: number) => {
    const value = config[key];
    return typeof value === 'string' && value.length > 0 && value.length <= longest && !/[\r\n]|function/.test(value)
      ? value
      : undefined;
  };
  const delimiter = text('delimiter', 4);
  const quote = text('quoteChar', 1);
  const escape = text('escapeChar', 1);
  const comment = config['comments'] === true ? '#' : text('comments', 2);
  return {
    header: config['header'] === true,
    comment: comment ?? '',
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(quote === undefined ? {} : { quote }),
    ...(escape === undefined ? {} : { escape }),
  };
}

function judge(entry: Case, outcome: Outcome): CorpusResult {
  const reason = reasonApart(entry);
  if (!outcome.ok) {
    return { file: '', verdict: reason ? 'documented' : 'DIFFERENT', note: reason ?? outcome.code, unaccounted: 0 };
  }
  const [table] = outcome.tables;
  const loaded = table ? asText(table) : [];
  const rows = table?.table.sniffed.header === true ? loaded.slice(1) : loaded;
  const want = comparable((entry.expected?.data ?? []).map(cellsOf));
  const got = comparable(entry.config['header'] === true && Array.isArray(entry.expected?.data?.[0]) ? loaded : rows);
  const { unaccounted } = outcome;
  if (JSON.stringify(want) === JSON.stringify(got)) return { file: '', verdict: 'equal', unaccounted };
  const quarantined = outcome.tables.flatMap((part) => part.quarantine.map((row) => row.reason));
  const why = reason ?? (quarantined.length > 0 ? `in quarantine: ${quarantined[0]}` : undefined);
  if (why) return { file: '', verdict: 'documented', note: why, unaccounted };
  return {
    file: '',
    verdict: 'DIFFERENT',
    note: `${JSON.stringify(got)} instead of ${JSON.stringify(want)}`.slice(0, 300),
    unaccounted,
  };
}

function cellsOf(row: unknown): string[] {
  const values = Array.isArray(row)
    ? row
    : Object.entries(row as object).flatMap(([key, value]) =>
        key === '__parsed_extra' ? (value as unknown[]) : [value],
      );
  return values.map((value) => (value === null || value === undefined ? '' : String(value)));
}

/** Without blank rows and missing cells at the end; values by meaning. */
function comparable(rows: string[][]): string[][] {
  return rows
    .map((row) => row.map((cell) => normalise(cell.replace(/\r\n?/g, '\n'))))
    .map((row) => row.slice(0, row.findLastIndex((cell) => cell !== '') + 1))
    .filter((row) => row.some((cell) => cell.trim() !== ''));
}

function reasonApart({ config, usesFunction, expected, input }: Case): string | undefined {
  if (usesFunction) return 'a setting that is a function';
  const setting = INTERFACE.find((key) => key in config);
  if (setting) return `Papa Parse's own setting ${setting}`;
  const errors = expected?.errors?.map((error) => error.code) ?? [];
  const fault = errors.find((code) => code === 'MissingQuotes' || code === 'InvalidQuotes');
  if (fault) return `${fault}: such lines go to quarantine`;
  if (config['comments'] === 5 || config['delimiter'] === '\n') return 'an invalid setting, refused by the API';
  if (typeof config['comments'] === 'string' && config['comments'].length > 2)
    return 'a comment mark of three characters, refused by the API';
  if (config['skipEmptyLines'] === 'greedy') return 'rows of empty cells are records here';
  if (/ "[^"]*" ?(,|$)/.test(input)) return 'blanks before quotes belong to the delimiter';
  const widths = new Set((expected?.data ?? []).map((row) => cellsOf(row).length));
  if (widths.size > 1)
    return 'rows of different widths: short ones are padded when they are the custom, else quarantined';
  return undefined;
}
