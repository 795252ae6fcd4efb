import type { Task } from '#contract/tasks.ts';
import { segment } from '../client.ts';
import { type Command, type Context, EXIT } from '../command.ts';
import { followTask } from '../follow.ts';
import { startProgress } from '../progress.ts';
import { instant, type List, lasted, painted, showError, showFacts, showList } from '../show.ts';

export const command: Command = {
  usage: 'tasks [ID] [--follow | --cancel | --retry]',
  examples: [
    ['caudal tasks --status failed', 'what went wrong lately'],
    ['caudal tasks ID --follow', 'watch one until it ends'],
    ['caudal tasks ID --cancel', 'stop it'],
  ],
  options: {
    follow: { type: 'boolean', short: 'f', doc: 'Wait for its end; exit code 1 when it fails' },
    cancel: { type: 'boolean', doc: 'Cancel it' },
    retry: { type: 'boolean', doc: 'Run it again as a new task' },
    kind: { type: 'string', value: 'KIND', doc: 'Only of this kind' },
    status: { type: 'string', value: 'STATUS', doc: 'Only queued, running, succeeded, failed or cancelled ones' },
    limit: { type: 'string', short: 'n', value: 'N', doc: 'At most so many (default 50)' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 0, max: 1 },
  traced: true,
  async run(context) {
    const [id] = context.args;
    if (id === undefined) return list(context);
    const client = await context.client();
    const path = `tasks/${segment(id)}`;
    if (context.flag('cancel')) return shown(context, await client.delete<Task>(path));
    if (context.flag('retry')) return shown(context, await client.post<Task>(`${path}/retry`));
    if (!context.flag('follow')) return shown(context, await client.get<Task>(path));
    const task = await watchTask(context, id, id);
    shown(context, task);
    return task.status === 'succeeded' ? EXIT.ok : EXIT.failed;
  },
};

/** Follows a task with a progress bar. */
export async function watchTask(context: Context, id: string, label: string): Promise<Task> {
  const progress = startProgress(context.terminal, label);
  const task = await followTask(await context.client(), id, context.signal, (now) => {
    progress.update(now.progress, 100, now.status);
  });
  progress.finish(`${label} ${task.status}${lasted(task) ? ` in ${lasted(task)}` : ''}`);
  return task;
}

function shown({ terminal, flag }: Context, task: Task): number {
  if (flag('json')) {
    terminal.json(task);
    return EXIT.ok;
  }
  showFacts(terminal, [
    ['task', task.id],
    ['kind', task.kind],
    ['status', painted(terminal, task.status)],
    ['progress', `${Math.round(task.progress)} %`],
    ['attempt', task.attempt],
    ['created', instant(task.created_at)],
    ['took', lasted(task)],
    ['retry of', task.retry_of],
    ['trace', task.trace_id],
    ['output', task.output ? JSON.stringify(task.output) : null],
  ]);
  if (task.error) showError(terminal, task.error);
  return EXIT.ok;
}

async function list(context: Context): Promise<number> {
  const { terminal, text } = context;
  const query = { limit: text('limit') ?? '50', kind: text('kind'), status: text('status') };
  const answer = await (await context.client()).get<List<Task>>('tasks', query);
  const titles = ['id', 'kind', 'status', 'progress', 'created (UTC)', 'took', 'reason'];
  return showList(context, answer, titles, (task) => [
    ...[task.id, task.kind, painted(terminal, task.status), `${Math.round(task.progress)} %`],
    ...[instant(task.created_at), lasted(task), task.error?.message ?? ''],
  ]);
}
