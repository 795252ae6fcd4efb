import { formatBytes } from '#kernel/bytes.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { count, instant, type List, showFacts } from '../show.ts';
import { visible } from '../terminal.ts';
import { isJson, TEXT_ARGUMENT, textArgument } from '../text-argument.ts';
import { cell, textTable } from '../text-table.ts';

interface Dataset {
  name: string;
  mode: string;
  rows: number;
  bytes: number;
  version: number;
  updated_at: string;
  columns: ({ name: string; type: string; nullable: boolean } & Record<string, unknown>)[];
}

interface Quarantined {
  id: string;
  line: number;
  column: string | null;
  reason: string;
  value: string | null;
  raw: string;
}

export const command: Command = {
  usage: 'datasets [NAME] [--profile | --quarantine | --sources | --create JSON | --alter JSON | --delete]',
  examples: [
    ['caudal datasets', 'all of them'],
    ['caudal datasets reviews --profile', 'columns with nulls, distinct values, range'],
    ['caudal datasets reviews --quarantine', 'rows that did not fit, and why'],
    ['caudal datasets people --create @people.json', 'with its columns, rules and key'],
    ['caudal datasets people --alter \'{"rename_columns": {"mail": "email"}}\'', 'as PATCH /datasets/people'],
  ],
  options: {
    profile: { type: 'boolean', doc: 'What is in each column' },
    quarantine: { type: 'boolean', doc: 'Rows that did not fit' },
    sources: { type: 'boolean', doc: 'What brought the rows in' },
    create: { type: 'string', value: 'JSON', doc: `Make it: ${TEXT_ARGUMENT}` },
    alter: { type: 'string', value: 'JSON', doc: `Change it: ${TEXT_ARGUMENT}` },
    delete: { type: 'boolean', doc: 'Delete the dataset' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many lines (default 50)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  traced: true,
  async run(context) {
    const [name] = context.args;
    if (name === undefined) return list(context);
    for (const how of ['create', 'alter'] as const) {
      const given = context.text(how);
      if (given !== undefined) return declare(context, name, how, await textArgument(context, given));
    }
    if (context.flag('delete')) return remove(context, name);
    if (context.flag('quarantine')) return quarantine(context, name);
    if (context.flag('sources')) return sources(context, name);
    return one(context, name);
  },
};

async function list(context: Context): Promise<number> {
  const { terminal } = context;
  const answer = await (await context.client()).get<List<Dataset>>('datasets', { limit: context.text('limit') });
  if (context.flag('json')) {
    terminal.json(answer);
    return EXIT.ok;
  }
  if (answer.items.length === 0) {
    terminal.note('There is no dataset yet; caudal upload FILE makes one.');
    return EXIT.ok;
  }
  const columns = [
    { name: 'dataset' },
    { name: 'rows', align: 'right' as const },
    { name: 'columns', align: 'right' as const },
    { name: 'size', align: 'right' as const },
    { name: 'version', align: 'right' as const },
    { name: 'updated (UTC)' },
  ];
  const rows = answer.items.map(({ name, rows: n, bytes, version, updated_at, columns: own }) => [
    ...[name, count(n), String(own.length), formatBytes(bytes), String(version), instant(updated_at)],
  ]);
  terminal.line(textTable(terminal, columns, rows));
  if (answer.next_cursor) terminal.note(terminal.paint('dim', 'there are more: --limit'));
  return EXIT.ok;
}

async function one(context: Context, name: string): Promise<number> {
  const { terminal } = context;
  const profile = context.flag('profile') || undefined;
  const dataset = await (await context.client()).get<Dataset>(`datasets/${segment(name)}`, { profile });
  if (context.flag('json')) {
    terminal.json(dataset);
    return EXIT.ok;
  }
  showFacts(terminal, [
    ['dataset', visible(dataset.name)],
    ['schema', dataset.mode],
    ['rows', count(dataset.rows)],
    ['size', formatBytes(dataset.bytes)],
    ['version', dataset.version],
    ['updated', instant(dataset.updated_at)],
  ]);
  terminal.line();
  const shown = profile ? ['nulls', 'distinct', 'min', 'max'] : [];
  const rows = dataset.columns.map((column) => [
    column.name,
    column.type,
    column.nullable ? '' : 'not null',
    ...shown.map((key) => cell(profileOf(column)[key])),
  ]);
  terminal.line(
    textTable(
      terminal,
      ['column', 'type', '', ...shown].map((title) => ({ name: title })),
      rows,
    ),
  );
  return EXIT.ok;
}

function profileOf(column: Record<string, unknown>): Record<string, unknown> {
  const profile = column['profile'];
  return typeof profile === 'object' && profile !== null ? (profile as Record<string, unknown>) : column;
}

async function declare(context: Context, name: string, how: 'create' | 'alter', given: string): Promise<number> {
  if (!isJson(given)) throw new UsageError(`--${how} takes ${TEXT_ARGUMENT}.`);
  const client = await context.client();
  const body: Record<string, unknown> = JSON.parse(given);
  if (how === 'create') await client.post('datasets', { name, ...body });
  else await client.call(`datasets/${segment(name)}`, { method: 'PATCH', body });
  return one(context, name);
}

async function remove(context: Context, name: string): Promise<number> {
  await (await context.client()).delete(`datasets/${segment(name)}`);
  context.terminal.note(`deleted: ${name}`);
  return EXIT.ok;
}

async function quarantine(context: Context, name: string): Promise<number> {
  const path = `datasets/${segment(name)}/quarantine`;
  const answer = await (await context.client()).get<List<Quarantined> | Quarantined[]>(path, {
    limit: context.text('limit'),
  });
  const items = Array.isArray(answer) ? answer : answer.items;
  if (context.flag('json')) context.terminal.json(answer);
  else if (items.length === 0) context.terminal.note('Nothing is in quarantine.');
  else {
    const rows = items.map((row) => [String(row.line), row.column ?? '', row.reason, row.value ?? '', row.raw]);
    const columns = [
      { name: 'line', align: 'right' as const },
      ...['column', 'reason', 'value', 'raw'].map((title) => ({ name: title })),
    ];
    context.terminal.line(textTable(context.terminal, columns, rows));
  }
  return EXIT.ok;
}

async function sources(context: Context, name: string): Promise<number> {
  const path = `datasets/${segment(name)}/sources`;
  const answer = await (await context.client()).get<List<Record<string, unknown>>>(path, {
    limit: context.text('limit'),
  });
  if (context.flag('json')) context.terminal.json(answer);
  else {
    const titles = ['id', 'kind', 'filename', 'version', 'read', 'accepted', 'quarantined', 'duplicates', 'trace_id'];
    const rows = answer.items.map((source) =>
      titles.map((title) =>
        cell(source[title] ?? (source['accounting'] as Record<string, unknown> | undefined)?.[title]),
      ),
    );
    context.terminal.line(
      textTable(
        context.terminal,
        titles.map((title) => ({ name: title })),
        rows,
      ),
    );
  }
  return EXIT.ok;
}
