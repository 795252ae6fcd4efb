import type { MetricAnswer } from '#contract/telemetry.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { count } from '../show.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'metrics [METRIC | EXPRESSION] [--rate WINDOW] [--quantile Q] [--by LABELS] [--since TIME]',
  description: 'Without an argument, the metrics that there are. An expression is a part of PromQL.',
  examples: [
    ['caudal metrics', 'what there is'],
    ['caudal metrics http.server.request.duration --quantile 0.95 --by http_route', 'how slow each route is'],
    ["caudal metrics 'sum by (service) (process_memory_usage_bytes)'", 'in words'],
    ['caudal metrics caudal.load.rows --rate 5m --by caudal_outcome --json', 'for scripts'],
  ],
  options: {
    rate: { type: 'string', value: 'WINDOW', doc: 'Per second over this window, such as 5m' },
    increase: { type: 'string', value: 'WINDOW', doc: 'Over this window, such as 1h' },
    quantile: { type: 'string', value: 'Q', doc: 'Of a histogram, such as 0.95' },
    by: { type: 'string', value: 'LABELS', doc: 'Summed by these labels, commas between' },
    label: { type: 'string', value: 'NAME=VALUE', multiple: true, doc: 'Only series with this label' },
    since: { type: 'string', value: 'TIME', doc: 'From this time on (RFC 3339; default: an hour ago)' },
    step: { type: 'string', value: 'STEP', doc: 'Time between points, such as 1m' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  async run(context) {
    const [asked] = context.args;
    const client = await context.client();
    const answer = await client.get<MetricAnswer>(`telemetry/metrics?${queryOf(context, asked)}`);
    if (context.flag('json')) context.terminal.json(answer);
    else if (answer.series) showSeries(context, answer.series);
    else showList(context, answer.items ?? []);
    return EXIT.ok;
  },
};

const NAME = /^[A-Za-z_:][\w:.]*$/;
const PARAMETERS = { rate: 'rate', increase: 'increase', quantile: 'quantile', by: 'group_by' } as const;

function queryOf(context: Context, asked: string | undefined): URLSearchParams {
  const query = new URLSearchParams();
  const given = Object.entries(PARAMETERS).flatMap(([option, parameter]) => {
    const value = context.text(option);
    return value === undefined ? [] : [[parameter, value] as const];
  });
  const labels = context.all('label');
  if (asked === undefined && given.length + labels.length > 0) throw new UsageError('Of which metric?');
  if (asked === undefined) return query;
  const words = !NAME.test(asked);
  if (words && given.length + labels.length > 0) {
    throw new UsageError('An expression says everything itself: leave the options out.');
  }
  query.set(words ? 'query' : 'metric', asked);
  for (const [parameter, value] of given) query.set(parameter, value);
  for (const label of labels) query.append('label', label);
  const since = context.text('since');
  if (since !== undefined) query.set('from', since);
  const step = context.text('step');
  if (step !== undefined) query.set('step', step);
  return query;
}

function showList({ terminal }: Context, items: NonNullable<MetricAnswer['items']>): void {
  const columns = [
    { name: 'metric' },
    { name: 'type' },
    { name: 'unit' },
    { name: 'series', align: 'right' as const },
    { name: 'services' },
  ];
  const rows = items.map(({ name, type, unit, series, services }) => [
    ...[name, type, unit ?? '', count(series), services.join(' ')],
  ]);
  terminal.line(textTable(terminal, columns, rows));
}

function showSeries({ terminal }: Context, series: NonNullable<MetricAnswer['series']>): void {
  const columns = [
    { name: 'series' },
    { name: 'course' },
    { name: 'least', align: 'right' as const },
    { name: 'most', align: 'right' as const },
    { name: 'last', align: 'right' as const },
  ];
  const rows = series.map(({ labels, points }) => {
    const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
    const named = Object.entries(labels).map(([name, value]) => (name === '__name__' ? value : `${name}=${value}`));
    return [
      ...[named.join(' ') || '(all)', sparkline(values)],
      ...[Math.min(...values), Math.max(...values), values.at(-1) ?? Number.NaN].map(short),
    ];
  });
  terminal.line(textTable(terminal, columns, rows));
}

const BARS = '▁▂▃▄▅▆▇█';
const WIDE = 24;

/** The largest of each part, so that a short peak is seen. */
function sparkline(values: readonly number[]): string {
  const size = Math.max(1, Math.ceil(values.length / WIDE));
  const parts = Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    Math.max(...values.slice(index * size, (index + 1) * size)),
  );
  const [least, most] = [Math.min(...parts), Math.max(...parts)];
  const bar = (value: number) => (most === least ? 0 : Math.round(((value - least) / (most - least)) * 7));
  return parts.map((value) => BARS[bar(value)]).join('');
}

const short = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : '');
