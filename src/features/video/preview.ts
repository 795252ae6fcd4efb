import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan } from './plan.ts';
import { perSecond } from './rate.ts';
import { type MadeClip, SEEK_SECONDS } from './transcode.ts';
import { engineFailure, runEngine, type Workbench } from './workbench.ts';

const OWN = ['-protocol_whitelist', 'file'];

/** The picture that stands for the video, from the clip that holds the moment asked for. @returns its name */
export async function makePoster(bench: Workbench, plan: Plan, clips: readonly MadeClip[]): Promise<string> {
  const clip = clips.find(({ part }) => plan.poster >= part.start && plan.poster < part.end) ?? clips.at(-1);
  if (!clip) throw new Error('there is no clip');
  const frame =
    plan.logo.start + Math.min(Math.max(0, plan.poster - clip.part.start), clip.part.end - clip.part.start - 1);
  // A quarter of a frame before its time: what is asked for is the first frame not before.
  const at = Math.max(0, (frame - 0.25) / perSecond(plan.rate)).toFixed(6);
  const picture = ['-frames:v', '1', '-q:v', '3', '-map_metadata', '-1', '-f', 'image2', '-update', '1', 'poster.jpg'];
  const ended = await runEngine(bench, 'ffmpeg', ['-ss', at, ...OWN, '-i', `file:${clip.name}`, '-an', ...picture]);
  if (ended.code !== 0) throw engineFailure(ended, 'Making the poster');
  return 'poster.jpg';
}

export interface Sprite {
  name: string;
  columns: number;
  rows: number;
  width: number;
  height: number;
  /** Between two of its pictures. */
  seconds: number;
}

/** Each is an input of its own: more decoders than these take too much memory. */
const MOST_CLIPS = 40;
const COLUMNS = 10;
const MOST_PICTURES = 100;
const PICTURE_WIDTH = 160;

/**
 * Small pictures of the whole content in one image, evenly spaced. Only pictures that stand alone are decoded
 * (one every four seconds at least): a fiftieth of the work. @returns undefined when there is nothing to show
 */
export async function makeSprite(
  bench: Workbench,
  plan: Plan,
  clips: readonly MadeClip[],
): Promise<Sprite | undefined> {
  if (clips.length > MOST_CLIPS) return undefined;
  const length = plan.frames / perSecond(plan.rate);
  const seconds = SEEK_SECONDS * Math.max(1, Math.ceil(length / SEEK_SECONDS / MOST_PICTURES));
  const width = PICTURE_WIDTH;
  const height = Math.max(2, 2 * Math.round((width * plan.height) / plan.width / 2));
  const times = Array.from({ length: Math.max(1, Math.ceil(length / seconds)) }, (_, at) =>
    Math.floor(at * seconds * perSecond(plan.rate)),
  );
  const wanted = clips.map((clip) => times.filter((frame) => frame >= clip.part.start && frame < clip.part.end));
  const count = wanted.reduce((sum, one) => sum + one.length, 0);
  if (count === 0) return undefined;
  const columns = Math.min(COLUMNS, count);
  const rows = Math.ceil(count / columns);
  const shown = clips.flatMap((clip, index) => (wanted[index]?.length ? [{ clip, times: wanted[index] }] : []));
  const inputs = shown.flatMap(({ clip: { name } }) => [
    ...['-threads', '1', '-skip_frame', 'nokey', ...OWN, '-i', `file:${name}`],
  ]);
  const chains = shown.map(({ clip: { part }, times: [first = 0, ...more] }, index) => {
    const start = (plan.logo.start + first - part.start) / perSecond(plan.rate);
    const rate = `fps=${1 / seconds}:start_time=${start.toFixed(6)}:round=down:eof_action=pass`;
    const trim = `trim=end_frame=${1 + more.length},setpts=PTS-STARTPTS`;
    return `[${index}:v]${rate},scale=${width}:${height},setsar=1,${trim}[s${index}]`;
  });
  const all = shown.map((_, index) => `[s${index}]`).join('');
  const graph = `${chains.join(';')};${all}concat=n=${shown.length}:v=1:a=0,tile=${columns}x${rows}[t]`;
  const output = ['-map', '[t]', '-frames:v', '1', '-q:v', '5', '-map_metadata', '-1', '-f', 'image2', '-update', '1'];
  const ended = await runEngine(bench, 'ffmpeg', [...inputs, '-filter_complex', graph, ...output, 'sprite.jpg']);
  const written = await stat(join(bench.directory, 'sprite.jpg')).catch(() => undefined);
  if (ended.code !== 0 || !written?.size) return undefined;
  return { name: 'sprite.jpg', columns, rows, width, height, seconds };
}
