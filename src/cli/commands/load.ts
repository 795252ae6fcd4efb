import type { File } from '#contract/files.ts';
import type { Task } from '#contract/tasks.ts';
import { type Client, Refused, segment } from '../client.ts';
import { type Command, EXIT, UsageError } from '../command.ts';
import { READER_OPTIONS, readerOptions } from '../reader-options.ts';
import { showError, showFile } from '../show.ts';
import { watchTask } from './tasks.ts';

export const command: Command = {
  usage: 'load FILE_ID|URL --dataset NAME [--replace] [reader options]',
  description:
    'Loads a file that is stored already, once more or with other options, or one from an http(s) URL. A dataset that\n' +
    'does not exist yet is made.',
  examples: [
    ['caudal load https://example.org/airports.csv --dataset airports', 'from the web'],
    ['caudal load 0197… --dataset sales --replace --delimiter ";" --decimal ,', 'a stored file, read differently'],
  ],
  options: {
    dataset: { type: 'string', short: 'd', value: 'NAME', doc: 'Where the rows go' },
    'no-wait': { type: 'boolean', doc: 'Do not wait for the load' },
    json: { type: 'boolean', doc: 'As JSON' },
    ...READER_OPTIONS,
  },
  arguments: { min: 1, max: 1 },
  traced: true,
  async run(context) {
    const [subject = ''] = context.args;
    const dataset = context.text('dataset');
    if (!dataset) throw new UsageError('Into which dataset?', `Usage: caudal ${command.usage}`);
    const origin = /^https?:\/\//i.test(subject) ? { url: subject } : { file_id: subject };
    const client = await context.client();
    const queued = await startLoad(client, dataset, { ...origin, ...readerOptions(context) });
    const task = context.flag('no-wait') ? queued : await watchTask(context, queued.id, dataset);
    if (context.flag('json')) context.terminal.json(task);
    else if (task.error) showError(context.terminal, task.error);
    else if (task.status === 'succeeded') {
      const fileId = String(task.input['file_id'] ?? '');
      if (fileId) showFile(context.terminal, await client.get<File>(`files/${segment(fileId)}`));
    } else context.terminal.line(task.id);
    return task.status === 'failed' || task.status === 'cancelled' ? EXIT.failed : EXIT.ok;
  },
};

/** A dataset that is not there yet is made, as an upload would: its schema is inferred. */
async function startLoad(client: Client, dataset: string, body: Record<string, unknown>): Promise<Task> {
  const load = () => client.post<Task>(`datasets/${segment(dataset)}/load`, body);
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'dataset_not_found') throw error;
    await client.post('datasets', { name: dataset });
    return load();
  }
}
