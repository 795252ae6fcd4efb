import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fail } from '#kernel/errors.ts';
import { pictureGraph, SAMPLE_RATE, soundGraph } from './graph.ts';
import { allFrames, clipFrames, type Part, type Plan, partsMade } from './plan.ts';
import { perSecond, rateText } from './rate.ts';
import type { Source } from './source.ts';
import { engineFailure, openSource, runEngine, type Workbench } from './workbench.ts';

export interface MadeClip {
  /** In the workbench's directory. */
  name: string;
  part: Part;
  frames: number;
}

export interface Transcoded {
  clips: MadeClip[];
  warnings: string[];
  /** Seconds of the clock that the encoder took. */
  seconds: number;
}

export interface Callbacks {
  /** Frames of the clips encoded so far, and seconds of video per second. */
  onProgress(frames: number, speed: number | undefined): void;
  /** A part's picture is complete; the next is being encoded meanwhile. The sound may still be on its way. */
  onPart?(index: number): void;
}

/** Seconds between two pictures that a player can jump to. */
export const SEEK_SECONDS = 4;
/** With less of the frames that its packets promised a video is called damaged. */
const ENOUGH = 0.9;

const pictureName = (index: number): string => `picture-${String(index).padStart(4, '0')}.mp4`;
const soundName = (index: number): string => `sound-${String(index).padStart(4, '0')}.m4a`;
const clipName = (index: number): string => `clip-${String(index).padStart(4, '0')}.mp4`;

/**
 * Encodes all clips in one pass over the source: one engine for the picture and one for the sound at the
 * same time, then each part's two are put into one file that can be played while it is fetched.
 *
 * Rejected: one engine per part (seeking loses or repeats frames in files without an index, and every
 * start decodes up to a whole group of pictures again), and one engine with an output per part (as many
 * H.264 encoders as parts stay in memory until its end).
 *
 * @throws corrupt_file, video_crashed, video_timeout, storage_full, or the signal's reason
 */
export async function transcode(
  bench: Workbench,
  plan: Plan,
  source: Source,
  callbacks: Callbacks,
): Promise<Transcoded> {
  const started = performance.now();
  const stop = new AbortController();
  const together: Workbench = { ...bench, signal: AbortSignal.any([bench.signal, stop.signal]) };
  const picture = encodePicture(together, plan, source, callbacks);
  const sound = encodeSound(together, plan, source);
  try {
    const [encoded, damage] = await Promise.all([picture, sound]);
    const content = contentFrames(plan, encoded);
    const parts = partsMade(plan, content);
    if (parts.length === 0 || content < (plan.frames - plan.tail_frames) * ENOUGH - 1) {
      throw fail(
        'corrupt_file',
        `The video is damaged: ${Math.max(0, content)} of ${plan.frames} frames could be decoded.`,
      );
    }
    const clips: MadeClip[] = [];
    for (const [index, part] of parts.entries()) clips.push(await putTogether(bench, plan, index, part));
    const lost = plan.frames - content;
    const warnings = [...damage, ...(lost > 0 ? [`${lost} of ${plan.frames} frames could not be decoded.`] : [])];
    return { clips, warnings, seconds: (performance.now() - started) / 1000 };
  } catch (error) {
    // Neither may go on when the other has failed; both are gone before the directory is removed.
    stop.abort(error);
    await Promise.allSettled([picture, sound]);
    throw error;
  }
}

/** The frames that were encoded, less the logos. Each part has its logos even when it turned out empty. */
function contentFrames(plan: Plan, encoded: number): number {
  return encoded - plan.parts.length * (plan.logo.start + plan.logo.end);
}

/** @returns how many frames were encoded */
async function encodePicture(bench: Workbench, plan: Plan, source: Source, callbacks: Callbacks): Promise<number> {
  const { engine, limits, directory } = bench;
  await writeFile(join(directory, 'picture.graph'), pictureGraph(plan, source, engine));
  const args = [
    // Pictures that change their size half-way must not begin the graph, and with it the parts, anew.
    ...['-reinit_filter', '0', ...threads(limits.threads), '-max_pixels', String(limits.max_pixels)],
    ...[...shortened(plan), ...openSource()],
    ...['-filter_complex_script', 'picture.graph', '-map', '[v]'],
    ...encoder(plan, limits),
    ...engine.passthrough,
    ...['-map_metadata', '-1', '-sn', '-dn', '-progress', 'pipe:1', '-stats_period', '0.25'],
    ...outputs(plan),
  ];
  let frames = 0;
  let complete = 0;
  const ended = await runEngine(bench, 'ffmpeg', args, (line) => {
    const [name, value = ''] = line.split('=');
    if (name === 'frame') frames = Number(value) || frames;
    if (name === 'speed') callbacks.onProgress(frames, Number.parseFloat(value) || undefined);
    if (name !== 'progress') return;
    // The muxer has closed a part when it has opened the next.
    while (complete + 1 < plan.parts.length && existsSync(join(directory, pictureName(complete + 1)))) {
      callbacks.onPart?.(complete);
      complete += 1;
    }
  });
  if (ended.code === 0) return frames;
  if (frames === 0 && !ended.signal)
    throw fail('corrupt_file', 'The video is damaged: none of its frames can be decoded.');
  throw engineFailure(ended, 'Encoding the picture');
}

function threads(count: number): string[] {
  return ['-threads', String(count || Math.min(16, availableParallelism()))];
}

/** Only the beginning is wanted: what comes later need not be read. */
function shortened({ frames, rate, parts, lead_seconds }: Plan): string[] {
  return parts.length > 1 ? [] : ['-t', (frames / perSecond(rate) + lead_seconds + 2).toFixed(3)];
}

function encoder(plan: Plan, limits: Workbench['limits']): string[] {
  const { rate, crf, parts } = plan;
  const [first] = parts;
  const clip = first ? clipFrames(plan, first) : 0;
  // At the start of each clip, where it is cut, and then every few seconds from where its content begins.
  const frame = `mod(n,${clip})`;
  const group = Math.round(SEEK_SECONDS * perSecond(rate));
  const content = `gte(${frame},${plan.logo.start})*not(mod(${frame}-${plan.logo.start},${group}))`;
  return [
    ...['-c:v', 'libx264', '-preset', limits.preset, '-crf', String(crf), '-profile:v', 'high'],
    ...['-g', String(group), ...threads(limits.threads)],
    ...['-force_key_frames', `expr:eq(${frame},0)+${content}`, '-forced-idr', '1'],
    ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709', '-color_range', 'tv'],
    ...['-enc_time_base', rateText({ num: rate.den, den: rate.num })],
  ];
}

function outputs(plan: Plan): string[] {
  const { parts } = plan;
  if (parts.length === 1) return ['-f', 'mp4', pictureName(0)];
  let frame = 0;
  const cuts = parts.slice(0, -1).map((part) => {
    frame += clipFrames(plan, part);
    return frame;
  });
  return [
    ...['-f', 'segment', '-segment_frames', cuts.join(','), '-reset_timestamps', '1'],
    ...['-segment_format', 'mp4', pictureName(0).replace('0000', '%04d')],
  ];
}

/** The sound of every part; a sound that cannot be decoded becomes silence, which is said. @returns warnings */
async function encodeSound(bench: Workbench, plan: Plan, source: Source): Promise<string[]> {
  if (plan.sound === 'none') return [];
  const write = async (from: Source | undefined) => {
    await writeFile(join(bench.directory, 'sound.graph'), soundGraph(plan, from));
    const args = [
      ...(from ? ['-vn', ...shortened(plan), ...openSource()] : []),
      ...['-filter_complex_script', 'sound.graph', '-map_metadata', '-1'],
      ...plan.parts.flatMap((_, index) => [
        ...['-map', `[a${index}]`, '-c:a', 'aac', '-b:a', '128k', '-ar', String(SAMPLE_RATE), soundName(index)],
      ]),
    ];
    return runEngine(bench, 'ffmpeg', args);
  };
  const ended = await write(plan.sound === 'source' ? source : undefined);
  if (ended.code === 0) return [];
  const failure = engineFailure(ended, 'Encoding the sound');
  if (plan.sound === 'silence' || (await write(undefined)).code !== 0) throw failure;
  return ['The sound could not be decoded: the clips are silent.'];
}

/** Picture and sound of one part in one file, its index first ("fast start"), without metadata. */
async function putTogether(bench: Workbench, plan: Plan, index: number, part: Part): Promise<MadeClip> {
  const frames = clipFrames(plan, part);
  const name = clipName(index);
  const own = ['-protocol_whitelist', 'file', '-i'];
  const args = [
    ...[...own, `file:${pictureName(index)}`],
    ...(plan.sound === 'none' ? [] : [...own, `file:${soundName(index)}`]),
    ...['-map', '0:v', ...(plan.sound === 'none' ? [] : ['-map', '1:a'])],
    ...['-c', 'copy', '-t', (frames / perSecond(plan.rate)).toFixed(6), '-map_metadata', '-1'],
    ...['-movflags', '+faststart', '-f', 'mp4', name],
  ];
  const ended = await runEngine(bench, 'ffmpeg', args);
  if (ended.code !== 0) throw engineFailure(ended, 'Writing a clip');
  await rm(join(bench.directory, pictureName(index)), { force: true });
  await rm(join(bench.directory, soundName(index)), { force: true });
  return { name, part, frames };
}

/** For whoever shows how far it is. */
export function progressOf(plan: Plan, frames: number): number {
  return Math.min(1, frames / Math.max(1, allFrames(plan)));
}
