import type { Policy } from '#contract/policies.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { deliver } from '../formats.ts';
import { instant, type List, showFacts, showList } from '../show.ts';

export const command: Command = {
  usage: 'policies [list | show ID | on ID | off ID | export]',
  description: 'Conditions over metrics that become incidents. `export` prints Prometheus rules.',
  examples: [
    ['caudal policies', 'what is watched, and what fires'],
    ['caudal policies export > caudal.rules.yml', 'the same for Prometheus'],
    ['caudal policies export --format alertmanager', 'whom to tell, for Alertmanager'],
    ['caudal policies off ID', 'stop watching'],
  ],
  options: {
    format: { type: 'string', value: 'FORMAT', doc: 'Of export: prometheus (default) or alertmanager' },
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Of export: write there' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 2 },
  traced: true,
  async run(context) {
    const [action = 'list', id] = context.args;
    if (action === 'list') return list(context);
    if (action === 'export') return print(context);
    if (id === undefined || !['show', 'on', 'off'].includes(action)) {
      throw new UsageError('What about policies?', `Usage: caudal ${command.usage}`);
    }
    const client = await context.client();
    const path = `policies/${segment(id)}`;
    if (action === 'show') return show(context, await client.get<Policy>(path));
    await client.call(path, { method: 'PATCH', body: { enabled: action === 'on' } });
    return show(context, await client.get<Policy>(path));
  },
};

async function print(context: Context): Promise<number> {
  const format = context.text('format') ?? 'prometheus';
  if (!['prometheus', 'alertmanager'].includes(format)) throw new UsageError('--format is prometheus or alertmanager.');
  await deliver(context, await (await context.client()).call('policies/export', { query: { format } }));
  return EXIT.ok;
}

async function list(context: Context): Promise<number> {
  const answer = await (await context.client()).get<List<Policy>>('policies', { limit: 200 });
  const titles = ['id', 'name', 'state', 'severity', 'for', 'fired', 'taken on', 'flapped', 'silenced'];
  return showList(context, answer, titles, ({ record, ...policy }) => [
    ...[policy.id, policy.name, policy.state, policy.severity, policy.for],
    ...[record.fired, record.acknowledged, record.flapped, record.silenced].map(String),
  ]);
}

function show({ terminal, flag }: Context, policy: Policy): number {
  if (flag('json')) terminal.json(policy);
  else {
    showFacts(terminal, [
      ['policy', policy.name],
      ['state', policy.state],
      ['severity', policy.severity],
      ['condition', policy.expression ?? 'heartbeats, watched by Caudal itself'],
      ['for', policy.for],
      ['means', policy.summary],
      ['what to do', policy.runbook],
      ['evaluated', instant(policy.evaluated_at)],
      ['error', policy.error],
    ]);
  }
  return EXIT.ok;
}
