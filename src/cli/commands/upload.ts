import type { File } from '#contract/files.ts';
import type { CompletedUpload } from '#contract/uploads.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { READER_OPTIONS, readerOptions } from '../reader-options.ts';
import { showFile } from '../show.ts';
import { visible } from '../terminal.ts';
import { uploadFile } from '../upload-file.ts';
import { watchTask } from './tasks.ts';

export const command: Command = {
  usage: 'upload FILE… [--dataset NAME] [--no-wait] [reader options]',
  description:
    'Sends each file in parallel parts through signed URLs and follows its load. The table is named after the file\n' +
    'unless --dataset says otherwise; several files may go into one. Exit code 1 when one of them does not load.',
  examples: [
    ['caudal upload sales.csv', 'into the dataset "sales"'],
    ['caudal upload 2026-*.csv --dataset sales', 'several files into one'],
    ['caudal upload prices.csv --delimiter ";" --decimal ,', 'when what is sniffed is not what is meant'],
    ['caudal upload big.csv --resume UPLOAD_ID', 'go on with an interrupted upload'],
  ],
  options: {
    dataset: { type: 'string', short: 'd', value: 'NAME', doc: 'Where the rows go' },
    'no-wait': { type: 'boolean', doc: 'Do not wait for the loads' },
    resume: { type: 'string', value: 'UPLOAD_ID', doc: 'Send only what is missing' },
    json: { type: 'boolean', doc: 'The files as JSON, at the end' },
    ...READER_OPTIONS,
  },
  arguments: { min: 1, max: Number.MAX_SAFE_INTEGER },
  traced: true,
  async run(context) {
    const resume = context.text('resume');
    if (resume && context.args.length > 1) throw new UsageError('--resume is for one file.');
    const loads: Promise<File>[] = [];
    for (const path of context.args) {
      const uploaded = await send(context, path, resume);
      const load = context.flag('no-wait') ? Promise.resolve(uploaded.file) : loaded(context, uploaded);
      // Awaited below, in order; the next file is sent while this one loads.
      load.catch(() => undefined);
      loads.push(load);
    }
    return report(context, await Promise.all(loads));
  },
};

async function send(context: Context, path: string, resume: string | undefined): Promise<CompletedUpload> {
  const dataset = context.text('dataset');
  return uploadFile({
    path,
    client: await context.client(),
    terminal: context.terminal,
    signal: context.signal,
    load: readerOptions(context),
    ...(dataset ? { dataset } : {}),
    ...(resume ? { resume } : {}),
  });
}

async function loaded(context: Context, { file, task }: CompletedUpload): Promise<File> {
  if (task) await watchTask(context, task.id, `${visible(file.filename)} load`);
  return (await context.client()).get<File>(`files/${file.id}`);
}

function report({ terminal, flag }: Context, files: File[]): number {
  if (flag('json')) terminal.json(files);
  else {
    for (const file of files) {
      terminal.line();
      showFile(terminal, file);
    }
  }
  return files.some((file) => file.state === 'failed') ? EXIT.failed : EXIT.ok;
}
