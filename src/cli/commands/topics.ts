import { randomBytes } from 'node:crypto';
import type { Subscription, Topic } from '#contract/events.ts';
import type { Task } from '#contract/tasks.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { count, instant, type List } from '../show.ts';
import { textArgument } from '../text-argument.ts';
import { textTable } from '../text-table.ts';

/** With a topic behind it; a single argument is a topic, whatever it is called. */
const ACTIONS: Record<string, (context: Context, topic: string, subject: string | undefined) => Promise<number>> = {
  show: (context, topic) => showTopic(context, topic),
  subscribe,
  unsubscribe,
  replay,
};

export const command: Command = {
  usage: 'topics [TOPIC | subscribe TOPIC [DATASET] | unsubscribe TOPIC ID | replay TOPIC ID]',
  description:
    'A subscription gets the events from the next one on, into a dataset or to a webhook. Replay brings those since a time again: in a dataset they take the place of what they brought before, a webhook gets them once more.',
  examples: [
    ['caudal topics', 'all of them: events, rates, backlog'],
    ['caudal topics people', 'who gets one, and how far each has come'],
    ['caudal topics subscribe people people_copy', 'into one more dataset'],
    ['caudal topics subscribe people --webhook https://example.org/hook', 'signed with a secret that is shown once'],
    ['caudal topics replay people ID --from 2026-05-01T00:00:00Z', 'bring the events since then again'],
  ],
  options: {
    webhook: { type: 'string', value: 'URL', doc: 'Of subscribe: where events are posted to' },
    secret: { type: 'string', value: 'SECRET', doc: 'Signs what is posted: a text, @FILE, or - ; absent: one is made' },
    from: { type: 'string', value: 'TIME', doc: 'Of replay: such as 2026-05-01T00:00:00Z' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 50)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 3 },
  traced: true,
  async run(context) {
    const [first, topic, subject] = context.args;
    if (first === undefined) return list(context);
    if (topic === undefined) return showTopic(context, first);
    const act = ACTIONS[first];
    if (!act) throw new UsageError(`What is "${first}"?`, `Usage: caudal ${command.usage}`);
    return act(context, topic, subject);
  },
};

async function list(context: Context): Promise<number> {
  const client = await context.client();
  const answer = await client.get<List<Topic>>('topics', { limit: context.text('limit') });
  if (context.flag('json')) context.terminal.json(answer);
  else showTopics(context, answer.items);
  return EXIT.ok;
}

async function showTopic(context: Context, name: string): Promise<number> {
  const topic = await (await context.client()).get<Topic>(`topics/${segment(name)}`);
  if (context.flag('json')) context.terminal.json(topic);
  else showSubscriptions(context, topic);
  return EXIT.ok;
}

async function subscribe(context: Context, topic: string, dataset: string | undefined): Promise<number> {
  const url = context.text('webhook');
  if ((url === undefined) === (dataset === undefined)) throw new UsageError('Subscribe a DATASET, or a --webhook URL.');
  const { terminal } = context;
  const given = context.text('secret');
  const secret =
    given === undefined
      ? `whsec_${randomBytes(24).toString('base64')}`
      : (await textArgument(context, given)).replace(/\r?\n$/, '');
  const body = url === undefined ? { dataset } : { webhook: { url, secret } };
  const made = await (await context.client()).post<Subscription>(`topics/${segment(topic)}/subscriptions`, body);
  const shown = url !== undefined && given === undefined ? { secret } : {};
  if (context.flag('json')) terminal.json({ ...made, ...shown });
  else {
    terminal.note(`subscribed: ${made.id}, from event ${count(made.position + 1)} on`);
    if (shown.secret) {
      terminal.note('the secret that signs what is posted, shown this once:');
      terminal.line(shown.secret);
    }
  }
  return EXIT.ok;
}

async function unsubscribe(context: Context, topic: string, id: string | undefined): Promise<number> {
  if (id === undefined) throw new UsageError('Which subscription?', `caudal topics ${topic} shows their ids.`);
  await (await context.client()).delete(`topics/${segment(topic)}/subscriptions/${segment(id)}`);
  context.terminal.note(`ended: ${id}; what it brought stays`);
  return EXIT.ok;
}

async function replay(context: Context, topic: string, id: string | undefined): Promise<number> {
  const from = context.text('from');
  if (id === undefined || from === undefined) throw new UsageError('Replay which subscription, --from when?');
  const path = `topics/${segment(topic)}/subscriptions/${segment(id)}/replay`;
  const answer = await (await context.client()).post<{ task: Task | null; subscription: Subscription }>(path, {
    from: instantOf(from),
  });
  const { task, subscription } = answer;
  if (context.flag('json')) context.terminal.json(answer);
  else if (task) context.terminal.note(`task ${task.id}; caudal tasks ${task.id} --follow`);
  else context.terminal.note(`set back: ${count(subscription.backlog)} events go out once more`);
  return EXIT.ok;
}

function instantOf(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new UsageError(`"${text}" is no time.`, 'Such as 2026-05-01T00:00:00Z.');
  return time.toISOString();
}

function showTopics({ terminal }: Context, topics: Topic[]): void {
  const columns = [
    { name: 'topic' },
    { name: 'events', align: 'right' as const },
    { name: 'per second', align: 'right' as const },
    { name: 'backlog', align: 'right' as const },
    { name: 'goes to' },
  ];
  const rows = topics.map(({ name, events, rate, backlog, subscriptions }) => [
    ...[name, count(events), count(Math.round(rate.events)), count(backlog)],
    subscriptions.map(({ dataset, webhook_url }) => dataset ?? webhook_url ?? '').join(', '),
  ]);
  terminal.line(textTable(terminal, columns, rows));
}

function showSubscriptions({ terminal }: Context, topic: Topic): void {
  terminal.line(`${topic.name}: ${count(topic.events)} events, since ${instant(topic.created_at)} (UTC)`);
  const columns = [
    { name: 'id' },
    { name: 'goes to' },
    { name: 'backlog', align: 'right' as const },
    { name: 'oldest', align: 'right' as const },
    { name: 'advanced (UTC)' },
    { name: 'trouble' },
  ];
  const rows = topic.subscriptions.map((one) => [
    ...[one.id, one.dataset ?? one.webhook_url ?? '', count(one.backlog)],
    one.oldest_seconds === null ? '' : `${one.oldest_seconds.toFixed(1)} s`,
    ...[one.advanced_at ? instant(one.advanced_at) : '', one.error?.message ?? ''],
  ]);
  terminal.line(textTable(terminal, columns, rows));
}
