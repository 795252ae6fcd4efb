import type { Topic } from '#contract/events.ts';
import type { Delivery } from '#contract/webhooks.ts';
import { type Client, segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { count, instant, type List, showList } from '../show.ts';
import { textTable } from '../text-table.ts';

export const command: Command = {
  usage: 'webhooks [list | deliveries TOPIC ID | redrive TOPIC ID [DELIVERY…]]',
  description:
    'What was posted to webhooks and what became of it. `caudal topics subscribe TOPIC --webhook URL` makes one.',
  examples: [
    ['caudal webhooks', 'all of them, and how far each has come'],
    ['caudal webhooks deliveries people ID --state dead', 'what was not taken within a day'],
    ['caudal webhooks redrive people ID', 'send all dead letters again'],
  ],
  options: {
    state: { type: 'string', value: 'STATE', doc: 'Of deliveries: waiting, delivered or dead' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 50)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1000 },
  traced: true,
  async run(context) {
    const [action = 'list', topic, id, ...ids] = context.args;
    const client = await context.client();
    if (action === 'list' && topic === undefined) return list(context, client);
    if (topic === undefined || id === undefined || !['deliveries', 'redrive'].includes(action)) {
      throw new UsageError('What about webhooks?', `Usage: caudal ${command.usage}`);
    }
    const path = `topics/${segment(topic)}/subscriptions/${segment(id)}`;
    if (action === 'deliveries') return deliveries(context, client, path);
    const body = ids.length > 0 ? { ids } : {};
    const answer = await client.post<{ redriven: number }>(`${path}/dead-letters/redrive`, body);
    if (context.flag('json')) context.terminal.json(answer);
    else context.terminal.note(`sent again: ${count(answer.redriven)}`);
    return EXIT.ok;
  },
};

/** Webhooks are subscriptions of topics: all pages of those. */
async function list(context: Context, client: Client): Promise<number> {
  const found: { topic: string; subscription: Topic['subscriptions'][number] }[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: List<Topic> = await client.get('topics', { limit: 1000, cursor: cursor || undefined });
    for (const { name, subscriptions } of page.items) {
      const hooks = subscriptions.filter(({ kind }) => kind === 'webhook');
      found.push(...hooks.map((subscription) => ({ topic: name, subscription })));
    }
    cursor = page.next_cursor;
  }
  const { terminal } = context;
  if (context.flag('json'))
    terminal.json({ items: found.map(({ topic, subscription }) => ({ topic, ...subscription })) });
  else if (found.length === 0) terminal.note('no webhooks; caudal topics subscribe TOPIC --webhook URL makes one');
  else {
    const titles = ['topic', 'id', 'url', 'backlog', 'trouble'];
    const rows = found.map(({ topic, subscription: { id, webhook_url, backlog, error } }) => [
      ...[topic, id, webhook_url ?? '', count(backlog), error?.message ?? ''],
    ]);
    terminal.line(textTable(terminal, titles, rows));
  }
  return EXIT.ok;
}

async function deliveries(context: Context, client: Client, path: string): Promise<number> {
  const query = { limit: context.text('limit'), state: context.text('state') };
  const answer = await client.get<List<Delivery>>(`${path}/deliveries`, query);
  const titles = ['id', 'state', 'events', 'attempts', 'answer', 'made (UTC)', 'next (UTC)', 'trouble'];
  return showList(context, answer, titles, (each) => [
    ...[each.id, each.state, count(each.last_offset - each.first_offset + 1), String(each.attempts)],
    ...[String(each.status ?? ''), instant(each.created_at), each.next_at ? instant(each.next_at) : ''],
    each.error ?? '',
  ]);
}
