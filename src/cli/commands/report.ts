import type { Task } from '#contract/tasks.ts';
import { type Client, segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { followTask } from '../follow.ts';
import { deliver } from '../formats.ts';
import { count, showError } from '../show.ts';
import { condition } from './rows.ts';

export const command: Command = {
  usage: 'report DATASET [--group-by COLUMN…] [--where CONDITION…] [-o FILE]',
  description:
    'An .xlsx with a summary whose totals are formulas, the rows, and where they came from. Conditions are those of caudal rows.\n' +
    'With --task it is made in the background and kept as a file of the workspace; with -o it is then fetched.',
  examples: [
    ['caudal report registrations --group-by city -o registrations.xlsx', 'counts by city, and the rows of each'],
    [
      "caudal report sales -g city -g channel --where 'amount>=100' --totals amount -o sales.xlsx",
      'two columns, filtered',
    ],
    ['caudal report sales -g city --detail sheets --locale es -o ventas.xlsx', 'a sheet for each city, in Spanish'],
    ['caudal report sales -g city --task', 'in the background; prints where it is when it is done'],
  ],
  options: {
    'group-by': {
      type: 'string',
      short: 'g',
      multiple: true,
      value: 'COLUMN',
      doc: 'Groups; several are one inside another',
    },
    totals: {
      type: 'string',
      multiple: true,
      value: 'COLUMN',
      doc: 'What is added up (default: numbers that are no ids)',
    },
    where: { type: 'string', short: 'w', multiple: true, value: 'CONDITION', doc: 'All of them must hold' },
    select: { type: 'string', short: 's', value: 'A,B', doc: 'Only these columns' },
    order: { type: 'string', value: 'COLUMN', doc: 'Order within a group; -COLUMN sorts downwards' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'The first N rows only; the workbook says so' },
    detail: { type: 'string', value: 'HOW', doc: 'list (default), sheets or none' },
    'as-written': { type: 'boolean', doc: 'Texts that differ by accents, case or blanks are groups of their own' },
    locale: { type: 'string', value: 'LANGUAGE', doc: 'en (default) or es' },
    version: { type: 'string', value: 'N', doc: 'As the dataset was at that version' },
    task: { type: 'boolean', doc: 'Made in the background' },
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Write there' },
    json: { type: 'boolean', doc: 'The task as JSON' },
  },
  arguments: { min: 1, max: 1 },
  traced: true,
  async run(context) {
    const [dataset = ''] = context.args;
    if (!context.flag('task') && !context.text('output') && context.terminal.tty) {
      throw new UsageError('A workbook is not for a terminal.', 'Add -o FILE, or pipe it.');
    }
    const client = await context.client();
    const call = { query: question(context), headers: { accept: '*/*' } };
    const path = `datasets/${segment(dataset)}/report.xlsx`;
    if (context.flag('task')) return background(context, client, path, call.query);
    await deliver(context, await client.call(path, call));
    return EXIT.ok;
  },
};

type Question = Record<string, string | undefined>;

function question(context: Context): Question {
  const list = (name: string) => context.all(name).join(',') || undefined;
  return {
    ...{ group_by: list('group-by'), totals: list('totals') },
    ...Object.fromEntries(
      ['select', 'order', 'limit', 'detail', 'locale', 'version'].map((name) => [name, context.text(name)]),
    ),
    normalize: context.flag('as-written') ? 'false' : undefined,
    ...Object.fromEntries(context.all('where').map(condition)),
  };
}

interface Output {
  url: string;
  rows: number;
  groups: number;
}

async function background(context: Context, client: Client, path: string, query: Question): Promise<number> {
  const { terminal } = context;
  const begun = await client.get<Task>(path, { ...query, async: 'true' });
  const task = await followTask(client, begun.id, context.signal, () => undefined);
  if (context.flag('json')) terminal.json(task);
  if (task.status !== 'succeeded') {
    if (task.error) showError(terminal, task.error);
    return EXIT.failed;
  }
  const { url, rows, groups } = task.output as unknown as Output;
  if (!context.flag('json')) terminal.line(`${client.url}${url}  ${count(rows)} rows in ${count(groups)} groups`);
  if (context.text('output')) {
    await deliver(context, await client.call(url.slice(1), { headers: { accept: '*/*' } }));
  }
  return EXIT.ok;
}
