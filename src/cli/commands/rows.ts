import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { chosenFormat, deliver, FORMAT_OPTIONS } from '../formats.ts';
import { type RowsAnswer, showRows } from '../show.ts';
import { isJson, TEXT_ARGUMENT, textArgument } from '../text-argument.ts';

export const command: Command = {
  usage: 'rows DATASET [--where CONDITION…] [--order COLUMN] [--select A,B] [--format FORMAT] | --add ROWS',
  description:
    'A condition is COLUMN=VALUE, or with >=, <=, >, <, != in place of =, COLUMN~PATTERN (SQL LIKE) or COLUMN= for null.\n' +
    'csv, ndjson, parquet and xlsx stream every row unless --limit is given.',
  examples: [
    ['caudal rows reviews --limit 5', 'the first five'],
    ["caudal rows reviews --where 'stars>=4' --where city=Bogotá --order -date", 'filtered, newest first'],
    ['caudal rows reviews -o reviews.parquet', 'all of it, as Parquet'],
    ['caudal rows reviews --include source', 'with source, line and time of each row'],
    ['caudal rows people --add \'{"name": "Ana"}\'', 'one row more; @FILE or - for many, one on each line'],
  ],
  options: {
    where: { type: 'string', short: 'w', multiple: true, value: 'CONDITION', doc: 'All of them must hold' },
    order: { type: 'string', value: 'COLUMN', doc: '-COLUMN sorts downwards' },
    select: { type: 'string', short: 's', value: 'A,B', doc: 'Only these columns' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many rows (table, json: default 20, most 1000)' },
    cursor: { type: 'string', value: 'CURSOR', doc: 'Go on after an earlier page' },
    include: { type: 'string', value: 'source', doc: 'Where each row came from' },
    version: { type: 'string', value: 'N', doc: 'As it was at that version' },
    add: { type: 'string', value: 'ROWS', doc: `Add rows: ${TEXT_ARGUMENT}; or one on each line` },
    ...FORMAT_OPTIONS,
  },
  arguments: { min: 1, max: 1 },
  traced: true,
  async run(context) {
    const [dataset = ''] = context.args;
    const rows = context.text('add');
    if (rows !== undefined) return add(context, dataset, rows);
    const format = chosenFormat(context);
    const streams = format !== 'table' && format !== 'json';
    const query: Record<string, string | undefined> = {
      select: context.text('select'),
      order: context.text('order'),
      cursor: context.text('cursor'),
      include: context.text('include'),
      version: context.text('version'),
      limit: context.text('limit') ?? (streams ? undefined : '20'),
      ...Object.fromEntries(context.all('where').map(condition)),
    };
    const client = await context.client();
    const path = `datasets/${segment(dataset)}/rows`;
    if (streams || (format === 'json' && context.text('output'))) {
      await deliver(context, await client.call(`${path}.${format}`, { query, headers: { accept: '*/*' } }));
      return EXIT.ok;
    }
    const answer = await client.get<RowsAnswer>(path, query);
    if (format === 'json') {
      context.terminal.json(answer);
      return EXIT.ok;
    }
    showRows(context.terminal, answer);
    if (answer.next_cursor)
      context.terminal.note(context.terminal.paint('dim', `more: --cursor ${answer.next_cursor}`));
    return EXIT.ok;
  },
};

interface Added {
  accepted: number;
  inserted?: number;
  quarantined?: number;
  duplicates: number;
}

/** Waits until they can be read. What is no JSON text is taken for one row on each line. */
async function add(context: Context, dataset: string, rows: string): Promise<number> {
  const body = await textArgument(context, rows);
  const type = isJson(body) ? 'application/json' : 'application/x-ndjson';
  const path = `datasets/${segment(dataset)}/rows`;
  const client = await context.client();
  const call = { method: 'POST', query: { wait: true }, headers: { 'content-type': type }, body: Buffer.from(body) };
  const answer = (await (await client.call(path, call)).json()) as Added;
  if (context.text('format') === 'json') {
    context.terminal.json(answer);
    return EXIT.ok;
  }
  const { accepted, inserted, quarantined = 0, duplicates } = answer;
  const parts = [
    inserted === undefined ? `${accepted} accepted, not readable yet` : `${inserted} of ${accepted} inserted`,
  ];
  if (quarantined > 0) parts.push(`${quarantined} in quarantine`);
  if (duplicates > 0) parts.push(`${duplicates} there already`);
  context.terminal.line(parts.join(', '));
  return EXIT.ok;
}

const OPERATORS = { '>=': 'gte', '<=': 'lte', '!=': 'ne', '>': 'gt', '<': 'lt', '~': 'like', '=': 'eq' } as const;
const CONDITION = /^(.+?)(>=|<=|!=|>|<|~|=)(.*)$/s;

/** `stars>=4` → `where[stars][gte]=4`; `city=` → `where[city][is_null]=true`. */
export function condition(text: string): [string, string] {
  const match = CONDITION.exec(text);
  if (!match) throw new UsageError(`"${text}" is no condition.`, 'Such as city=Bogotá or stars>=4');
  const [, column = '', operator = '=', value = ''] = match;
  if (operator === '=' && value === '') return [`where[${column}][is_null]`, 'true'];
  return [`where[${column}][${OPERATORS[operator as keyof typeof OPERATORS]}]`, value];
}
