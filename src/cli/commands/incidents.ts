import type { Incident, IncidentHistory } from '#contract/incidents.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { instant, type List, showFacts, showList } from '../show.ts';

export const command: Command = {
  usage: 'incidents [list | show ID | ack ID]',
  examples: [
    ['caudal incidents', 'what is broken, and since when'],
    ['caudal incidents --all', 'those that are over as well'],
    ['caudal incidents ack ID --comment "on it"', 'take one on: no repeats, no escalation'],
  ],
  options: {
    all: { type: 'boolean', doc: 'Those that are over as well' },
    comment: { type: 'string', value: 'TEXT', doc: 'Of ack: kept in its history' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 2 },
  traced: true,
  async run(context) {
    const [action = 'list', id] = context.args;
    if (action === 'list') return list(context);
    if (id === undefined || !['show', 'ack'].includes(action)) {
      throw new UsageError('What about incidents?', `Usage: caudal ${command.usage}`);
    }
    const client = await context.client();
    const path = `incidents/${segment(id)}`;
    const comment = context.text('comment');
    if (action === 'ack') await client.post(`${path}/acknowledge`, comment === undefined ? {} : { comment });
    return show(context, await client.get<IncidentHistory>(path));
  },
};

async function list(context: Context): Promise<number> {
  const query = { limit: 100, ...(context.flag('all') ? {} : { state: 'active' }) };
  const answer = await (await context.client()).get<List<Incident>>('incidents', query);
  const titles = ['id', 'state', 'severity', 'what', 'since (UTC)', 'until', 'taken on by'];
  return showList(
    context,
    answer,
    titles,
    (incident) => [
      ...[incident.id, incident.state, incident.severity, incident.title],
      ...[instant(incident.opened_at), instant(incident.resolved_at), incident.acknowledged_by ?? ''],
    ],
    context.flag('all') ? 'none so far' : 'nothing is broken',
  );
}

function show({ terminal, flag }: Context, incident: IncidentHistory): number {
  if (flag('json')) {
    terminal.json(incident);
    return EXIT.ok;
  }
  showFacts(terminal, [
    ['incident', incident.title],
    ['state', incident.state],
    ['severity', incident.severity],
    ['policy', incident.policy],
    ['since', instant(incident.opened_at)],
    ['until', instant(incident.resolved_at)],
  ]);
  for (const { at, kind, actor, detail } of incident.events) {
    const more = Object.entries(detail).map(([name, value]) => `${name}: ${String(value)}`);
    terminal.line(`${instant(at)}  ${kind}  ${actor}  ${more.join(', ')}`.trimEnd());
  }
  return EXIT.ok;
}
