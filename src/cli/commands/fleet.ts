import { FLEET_STATES, type FleetAnswer } from '#contract/telemetry.ts';
import { type Command, EXIT, UsageError } from '../command.ts';
import { count, instant, painted } from '../show.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'fleet [--state STATE]',
  description: 'Every system that sends telemetry, worst first. Exit code 1 when one is not healthy.',
  examples: [
    ['caudal fleet', 'all of them'],
    ['caudal fleet --state off_slo', 'those that fail or are slow'],
    ['caudal fleet --json', 'for scripts'],
  ],
  options: {
    state: { type: 'string', value: 'STATE', doc: `Only ${FLEET_STATES.join(', ')}` },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 0 },
  async run(context) {
    const { terminal } = context;
    const state = context.text('state');
    if (state !== undefined && !(FLEET_STATES as readonly string[]).includes(state)) {
      throw new UsageError(`--state is one of ${FLEET_STATES.join(', ')}.`);
    }
    const answer = await (await context.client()).get<FleetAnswer>('fleet', { state });
    const code = answer.counts.silent + answer.counts.off_slo > 0 ? EXIT.failed : EXIT.ok;
    if (context.flag('json')) {
      terminal.json(answer);
      return code;
    }
    const columns = [
      { name: 'system' },
      { name: 'state' },
      { name: 'services', align: 'right' as const },
      { name: 'requests', align: 'right' as const },
      { name: 'failed', align: 'right' as const },
      { name: 'p95 ms', align: 'right' as const },
      { name: 'last seen (UTC)' },
      { name: 'why' },
    ];
    const rows = answer.items.map((item) => [
      ...[item.system, painted(terminal, item.state), count(item.services), count(item.requests)],
      ...[`${(item.error_ratio * 100).toFixed(1)} %`, item.p95_ms === null ? '' : String(item.p95_ms)],
      ...[instant(item.last_seen), item.reasons.join('; ')],
    ]);
    terminal.line(textTable(terminal, columns, rows));
    const { silent, off_slo, healthy } = answer.counts;
    terminal.line(`\n${healthy} healthy, ${off_slo} off their service level, ${silent} silent`);
    return code;
  },
};
