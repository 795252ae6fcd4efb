import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { File } from '#contract/files.ts';
import type { Task } from '#contract/tasks.ts';
import type { VideoOptions, VideoOutput } from '#contract/video.ts';
import { bodyOf, segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { painted, showError, showFacts } from '../show.ts';
import { uploadFile } from '../upload-file.ts';
import { watchTask } from './tasks.ts';

export const command: Command = {
  usage: 'video submit URL|FILE|FILE_ID · video watch TASK_ID · video get TASK_ID [--to DIR]',
  description:
    'Makes clips of a video: parts of at most 20 s, 1280 × 720, a logo before and after, a poster. `submit` sends a local\n' +
    'file first and follows the task unless --no-wait; `watch` follows one; `get` saves its clips and poster.',
  examples: [
    ['caudal video submit holiday.mov', 'upload, process, show the clips'],
    [
      'caudal video submit https://example.org/talk.mp4 --mode trim --aspect 9:16 --fit crop',
      'the first 20 s, upright',
    ],
    ['caudal video get 0197… --to clips/', 'save what came of it, but over nothing'],
  ],
  options: {
    mode: { type: 'string', value: 'MODE', doc: 'split (all of it) or trim (the beginning)' },
    'max-seconds': { type: 'string', value: 'N', doc: 'Longest content of one clip' },
    aspect: { type: 'string', value: 'W:H', doc: 'Shape of the clips, such as 16:9, or source' },
    fit: { type: 'string', value: 'FIT', doc: 'pad or crop' },
    height: { type: 'string', value: 'PIXELS', doc: 'Height of the clips' },
    fps: { type: 'string', value: 'N', doc: 'Frames per second' },
    crf: { type: 'string', value: 'N', doc: 'Quality, lower is better' },
    'no-audio': { type: 'boolean', doc: 'Without sound' },
    'no-logo': { type: 'boolean', doc: 'Without logos' },
    'no-wait': { type: 'boolean', doc: 'Do not wait for the clips' },
    to: { type: 'string', value: 'DIR', doc: 'Where `get` saves them (default: here)' },
    json: { type: 'boolean', doc: 'The task as JSON' },
  },
  arguments: { min: 2, max: 2 },
  traced: true,
  async run(context) {
    const [verb = '', subject = ''] = context.args;
    const action = Object.hasOwn(ACTIONS, verb) ? ACTIONS[verb] : undefined;
    if (!action) throw new UsageError(`There is no "video ${verb}".`, `Usage: caudal ${command.usage}`);
    return action(context, subject);
  },
};

const ACTIONS: Record<string, (context: Context, subject: string) => Promise<number>> = { submit, watch, get };

async function submit(context: Context, subject: string): Promise<number> {
  const client = await context.client();
  const origin = await originOf(context, subject);
  const options = optionsOf(context);
  const body = { ...origin, ...(Object.keys(options).length > 0 ? { options } : {}) };
  const task = await client.post<Task>('tasks', body);
  return context.flag('no-wait') ? shown(context, task) : watch(context, task.id);
}

async function watch(context: Context, id: string): Promise<number> {
  return shown(context, await watchTask(context, id, 'video'));
}

async function get(context: Context, id: string): Promise<number> {
  const client = await context.client();
  const task = await client.get<Task>(`tasks/${segment(id)}`);
  const output = task.output as unknown as VideoOutput | null;
  if (task.kind !== 'video' || !output) return shown(context, task);
  const directory = context.text('to') ?? '.';
  await mkdir(directory, { recursive: true });
  for (const id of [...output.clips.map(({ file_id }) => file_id), output.poster_file_id]) {
    const { filename } = await client.get<File>(`files/${segment(id)}`);
    // The name comes from the source of the video: it chooses no directory.
    const path = join(directory, basename(filename.replaceAll('\\', '/')));
    const response = await client.call(`files/${segment(id)}/content`, { headers: { accept: '*/*' } });
    await pipeline(await bodyOf(response), createWriteStream(path, { flags: 'wx' }));
    context.terminal.line(path);
  }
  return EXIT.ok;
}

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

async function originOf(context: Context, subject: string): Promise<{ url: string } | { file_id: string }> {
  if (/^https?:\/\//i.test(subject)) return { url: subject };
  if (ID.test(subject)) return { file_id: subject };
  const { terminal, signal } = context;
  const { file } = await uploadFile({ path: subject, client: await context.client(), terminal, signal, load: {} });
  return { file_id: file.id };
}

function optionsOf({ text, flag }: Context): VideoOptions {
  const number = (name: string): number | undefined => {
    const given = text(name);
    if (given !== undefined && !/^\d+(\.\d+)?$/.test(given)) throw new UsageError(`--${name} is a number.`);
    return given === undefined ? undefined : Number(given);
  };
  const options = {
    ...{ mode: text('mode'), max_seconds: number('max-seconds'), aspect: text('aspect'), fit: text('fit') },
    ...{ height: number('height'), fps: number('fps'), crf: number('crf') },
    audio: flag('no-audio') ? false : undefined,
    logo: flag('no-logo') ? { at: 'none' } : undefined,
  };
  // What is wrong with a value the gateway says, by its field.
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as VideoOptions;
}

function shown(context: Context, task: Task): number {
  const { terminal, flag } = context;
  const output = task.output as unknown as VideoOutput | null;
  const failed = task.status === 'failed' || task.status === 'cancelled';
  if (flag('json')) terminal.json(task);
  else {
    const clips = output?.clips.map(({ url, duration, width, height }) => `${url}  ${duration} s  ${width}×${height}`);
    showFacts(terminal, [
      ['task', task.id],
      ['status', painted(terminal, task.status)],
      ['clips', clips?.join('\n') ?? null],
      ['poster', output?.poster_url],
      ['warnings', output?.warnings.join('\n') || null],
      ['trace', task.trace_id],
    ]);
    if (task.error) showError(terminal, task.error);
  }
  return failed ? EXIT.failed : EXIT.ok;
}
