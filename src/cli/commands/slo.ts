import type { Slo } from '#contract/slos.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { deliver } from '../formats.ts';
import { type List, showList } from '../show.ts';

export const command: Command = {
  usage: 'slo [list | export]',
  description:
    'Service levels: what is kept, what is left of each budget, how fast it burns (1: exactly as fast as allowed).',
  examples: [
    ['caudal slo', 'every service level'],
    ['caudal slo export > slos.yml', 'as OpenSLO documents'],
  ],
  options: {
    output: { type: 'string', short: 'o', value: 'FILE', doc: 'Of export: write there' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  traced: true,
  async run(context) {
    const [action = 'list'] = context.args;
    if (action === 'list') return list(context);
    if (action !== 'export') throw new UsageError('What about service levels?', `Usage: caudal ${command.usage}`);
    await deliver(context, await (await context.client()).call('slos/export'));
    return EXIT.ok;
  },
};

const percent = (share: number | null): string => (share === null ? '' : `${Number((share * 100).toFixed(3))} %`);

async function list(context: Context): Promise<number> {
  const answer = await (await context.client()).get<List<Slo>>('slos', { limit: 200 });
  const titles = ['name', 'state', 'target', 'now', 'budget left', 'burn 1h', 'burn 6h', 'events'];
  return showList(context, answer, titles, (slo) => {
    const burn = (window: string) => slo.burn.find((each) => each.window === window)?.rate;
    return [
      ...[slo.name, slo.state, percent(slo.objectives[0]?.target ?? null), percent(slo.sli), percent(slo.budget_left)],
      ...[burn('1h')?.toFixed(1) ?? '', burn('6h')?.toFixed(1) ?? '', String(Math.round(slo.total))],
    ];
  });
}
