import type { Trace, TracePage } from '#contract/telemetry.ts';
import { drawWaterfall } from '#contract/waterfall.ts';
import { formatDuration } from '#kernel/duration.ts';
import { type Call, segment } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { instant } from '../show.ts';
import { visible } from '../terminal.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'trace [ID]',
  description: 'Without an id, the newest traces. Files, tasks, sources and every HTTP answer carry a trace id.',
  examples: [
    ['caudal trace', 'the newest'],
    ['caudal trace 4bf92f3577b34da6a3ce929d0e0e4736', 'one, as a waterfall'],
    ['caudal trace ID --logs', 'with its log lines'],
  ],
  options: {
    logs: { type: 'boolean', doc: 'Its log lines below' },
    service: { type: 'string', value: 'NAME', doc: 'Only traces with spans of this service, such as caudal-worker' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 20)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  async run(context) {
    const [id] = context.args;
    if (id === undefined) return list(context);
    const trace = await (await context.client()).get<Trace>(`telemetry/traces/${segment(id)}`);
    if (context.flag('json')) {
      context.terminal.json(trace);
      return EXIT.ok;
    }
    showTrace(context, trace);
    if (context.flag('logs')) showLogs(context, trace);
    return EXIT.ok;
  },
};

export function showTrace({ terminal }: Context, trace: Trace): void {
  const color = terminal.paint('red', 'x') !== 'x';
  terminal.line(drawWaterfall(trace, { width: terminal.columns, color }));
}

function showLogs({ terminal }: Context, { logs }: Trace): void {
  terminal.line();
  for (const { time, severity, service, body } of logs) {
    const level = severity === 'error' || severity === 'fatal' ? 'red' : severity === 'warn' ? 'yellow' : 'dim';
    terminal.line(
      `${time.slice(11, 23)} ${service.padEnd(16)} ${terminal.paint(level, (severity ?? '').padEnd(5))} ${visible(body)}`,
    );
  }
}

async function list(context: Context): Promise<number> {
  const { text } = context;
  await listTraces(context, 'telemetry/traces', { limit: text('limit') ?? '20', service: text('service') });
  return EXIT.ok;
}

export async function listTraces(context: Context, path: string, query: Call['query'] = {}): Promise<void> {
  const { terminal } = context;
  const answer = await (await context.client()).get<TracePage>(path, query);
  if (context.flag('json')) {
    terminal.json(answer);
    return;
  }
  const columns = [
    { name: 'trace' },
    { name: 'start (UTC)' },
    { name: 'took', align: 'right' as const },
    { name: 'spans', align: 'right' as const },
    { name: 'errors', align: 'right' as const },
    { name: 'what' },
    { name: 'services' },
  ];
  const rows = answer.items.map((trace) => [
    ...[trace.trace_id, instant(trace.start), formatDuration(trace.duration_ns / 1e6), String(trace.spans)],
    ...[String(trace.errors || ''), trace.root_name, trace.services.join(' ')],
  ]);
  terminal.line(textTable(terminal, columns, rows));
}
