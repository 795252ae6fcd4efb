import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { deliver } from '../formats.ts';
import { count } from '../show.ts';
import { textTable } from '../text-table.ts';
import { condition } from './rows.ts';

const FORMATS = ['svg', 'png', 'json'];

interface Chart {
  y: string;
  points: { label: string; y: number | null }[];
  rest: { groups: number; y: number | null } | null;
  rows: number;
}

export const command: Command = {
  usage: 'chart DATASET --x COLUMN [--y AGGREGATE] [-o FILE.svg|.png|.json]',
  description: 'Without -o the chart is drawn on the terminal, as bars of text.',
  examples: [
    ['caudal chart registrations --x city', 'how many of each city, here'],
    ['caudal chart sales --x city --y "sum(amount)" --top 5 -o sales.svg', 'the five that sold most, and the rest'],
    ['caudal chart sales --x amount --kind histogram --bins 20 --theme dark -o amounts.png', 'how amounts are spread'],
  ],
  options: {
    x: { type: 'string', value: 'COLUMN', doc: 'What the chart is about' },
    y: { type: 'string', value: 'AGGREGATE', doc: 'count (default), sum(COLUMN), avg(…), min(…) or max(…)' },
    kind: {
      type: 'string',
      short: 'k',
      value: 'KIND',
      doc: 'bar (default), line (default of dates), pie or histogram',
    },
    where: {
      type: 'string',
      short: 'w',
      multiple: true,
      value: 'CONDITION',
      doc: 'As in caudal rows; all of them must hold',
    },
    top: { type: 'string', value: 'N', doc: 'Groups that are shown; what is left is one more' },
    bins: { type: 'string', value: 'N', doc: 'Of a histogram' },
    title: { type: 'string', value: 'TEXT', doc: 'Above it' },
    theme: { type: 'string', value: 'THEME', doc: 'light (default) or dark' },
    locale: { type: 'string', value: 'LANGUAGE', doc: 'Such as en, es or es-CO' },
    version: { type: 'string', value: 'N', doc: 'As the dataset was at that version' },
    'as-written': { type: 'boolean', doc: 'Texts that differ by accents, case or blanks are groups of their own' },
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Write there; the name’s ending chooses the format' },
    json: { type: 'boolean', doc: 'The numbers as JSON' },
  },
  arguments: { min: 1, max: 1 },
  traced: true,
  async run(context) {
    const [dataset = ''] = context.args;
    if (!context.text('x')) throw new UsageError('Which column is the chart about?', 'Such as --x city');
    const output = context.text('output');
    const format = output?.slice(output.lastIndexOf('.') + 1).toLowerCase() ?? 'json';
    if (!FORMATS.includes(format)) throw new UsageError('A chart is written as .svg, .png or .json.');
    const client = await context.client();
    const query = question(context);
    const path = `datasets/${segment(dataset)}/chart.${format}`;
    if (output) {
      await deliver(context, await client.call(path, { query, headers: { accept: '*/*' } }));
      return EXIT.ok;
    }
    const chart = await client.get<Chart>(path, query);
    if (context.flag('json')) context.terminal.json(chart);
    else draw(context, chart);
    return EXIT.ok;
  },
};

function question(context: Context): Record<string, string | undefined> {
  const names = ['x', 'y', 'kind', 'top', 'bins', 'title', 'theme', 'locale', 'version'];
  return {
    ...Object.fromEntries(names.map((name) => [name, context.text(name)])),
    normalize: context.flag('as-written') ? 'false' : undefined,
    ...Object.fromEntries(context.all('where').map(condition)),
  };
}

const WIDEST = 40;

function draw({ terminal }: Context, { y, points, rest, rows }: Chart): void {
  const bars = points.map((point) => ({ label: point.label, value: point.y }));
  if (rest) bars.push({ label: `(${rest.groups} more)`, value: rest.y });
  const most = Math.max(0, ...bars.map(({ value }) => Math.abs(value ?? 0)));
  const lines = bars.map(({ label, value }) => [
    ...[label, value === null ? '' : count(value)],
    '█'.repeat(most === 0 ? 0 : Math.round((WIDEST * Math.abs(value ?? 0)) / most)),
  ]);
  terminal.line(textTable(terminal, [{ name: '' }, { name: y, align: 'right' }, { name: '' }], lines));
  terminal.note(terminal.paint('dim', `${count(rows)} rows`));
}
