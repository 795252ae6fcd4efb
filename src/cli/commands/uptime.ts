import type { UptimeCheck } from '#contract/uptime.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { instant, type List, showList } from '../show.ts';

export const command: Command = {
  usage: 'uptime [list | add NAME TARGET | remove ID]',
  description: 'Checks from outside: an http(s) URL or host:port, every minute. Failures become incidents.',
  examples: [
    ['caudal uptime', 'what every check saw last'],
    ['caudal uptime add shop https://shop.example.org/health', 'expects any 2xx within 10 s'],
    ['caudal uptime add db db.example.org:443', 'expects a connection'],
  ],
  options: {
    installation: { type: 'boolean', doc: 'Of add: the operator’s own, which may reach private addresses' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 3 },
  traced: true,
  async run(context) {
    const [action = 'list', subject, target] = context.args;
    if (action === 'list') return list(context);
    const client = await context.client();
    if (action === 'remove' && subject !== undefined) {
      await client.delete(`uptime-checks/${segment(subject)}`);
      context.terminal.note(`removed: ${subject}`);
      return EXIT.ok;
    }
    if (action !== 'add' || subject === undefined || target === undefined) {
      throw new UsageError('What about uptime?', `Usage: caudal ${command.usage}`);
    }
    const kind = /^https?:/.test(target) ? 'http' : 'tcp';
    const scope = context.flag('installation') ? 'installation' : 'workspace';
    const check = await client.post<UptimeCheck>('uptime-checks', { name: subject, kind, target, scope });
    if (context.flag('json')) context.terminal.json(check);
    else context.terminal.note(`made: ${check.id}`);
    return EXIT.ok;
  },
};

async function list(context: Context): Promise<number> {
  const answer = await (await context.client()).get<List<UptimeCheck>>('uptime-checks', { limit: 200 });
  const titles = ['id', 'name', 'state', 'target', 'latency', 'certificate', '24 h', 'seen (UTC)', 'reason'];
  return showList(
    context,
    answer,
    titles,
    ({ last, availability, ...check }) => [
      ...[check.id, check.name, check.state, check.target, last ? `${last.latency_ms} ms` : ''],
      ...[last?.certificate_days == null ? '' : `${Math.floor(last.certificate_days)} d`],
      ...[availability === null ? '' : `${(availability * 100).toFixed(2)} %`, instant(last?.at), last?.error ?? ''],
    ],
    'no checks; caudal uptime add NAME TARGET makes one',
  );
}
