import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fail } from '#kernel/errors.ts';

/** The ffmpeg that processes videos. Caudal brings none: its builds with H.264 are under the GPL (ADR 0030). */
export interface Engine {
  ffmpeg: string;
  ffprobe: string;
  version: string;
  /** HDR can be tone-mapped. */
  zscale: boolean;
  /** How it is told to leave the frames' times alone. */
  passthrough: readonly string[];
}

const NEEDED = { filters: ['segment', 'asegment', 'tpad', 'movie'], encoders: ['libx264', 'aac'] } as const;
const HINT =
  'Install ffmpeg 4.4 or later with libx264 where the workers run (Debian: apt install ffmpeg), or name one: CAUDAL_FFMPEG.';

/**
 * Looks for ffmpeg and asks it what it can do: about 100 ms.
 * @throws no_video_engine, saying what is missing
 */
export function findEngine(setting: string, path: string = process.env['PATH'] ?? ''): Engine {
  const ffmpeg = setting || onPath('ffmpeg', path);
  if (!ffmpeg) throw missing('There is no ffmpeg on this machine.');
  const ffprobe = isProgram(join(dirname(ffmpeg), 'ffprobe'))
    ? join(dirname(ffmpeg), 'ffprobe')
    : onPath('ffprobe', path);
  if (!isProgram(ffmpeg)) throw missing(`${ffmpeg} is not a program.`);
  if (!ffprobe) throw missing('There is an ffmpeg, but no ffprobe beside it.');
  const version = /^ffmpeg version (\S+)/.exec(ask(ffmpeg, '-version'))?.[1];
  if (!version) throw missing(`${ffmpeg} does not run.`);
  const filters = namesIn(ask(ffmpeg, '-filters'));
  const encoders = namesIn(ask(ffmpeg, '-encoders'));
  const lacking = [
    ...NEEDED.filters.filter((name) => !filters.has(name)),
    ...NEEDED.encoders.filter((name) => !encoders.has(name)),
  ];
  if (lacking.length > 0) throw missing(`ffmpeg ${version} lacks ${lacking.join(', ')}.`);
  const zscale = filters.has('zscale') && filters.has('tonemap');
  return { ffmpeg, ffprobe, version, zscale, passthrough: passthroughOf(version) };
}

function missing(what: string): Error {
  return fail('no_video_engine', `Videos cannot be processed here: ${what}`, { hint: HINT });
}

/** `-vsync` until 5.0, `-fps_mode` since 5.1; what is not a number is a build of the newest. */
function passthroughOf(version: string): readonly string[] {
  const [, major, minor] = /^n?(\d+)\.(\d+)/.exec(version) ?? [];
  const old = major !== undefined && (Number(major) < 5 || (Number(major) === 5 && Number(minor) < 1));
  return old ? ['-vsync', '0'] : ['-fps_mode', 'passthrough'];
}

function ask(program: string, question: string): string {
  const { stdout } = spawnSync(program, ['-hide_banner', question], { encoding: 'utf8', timeout: 20_000 });
  return stdout ?? '';
}

/** Lists have the name in their second column: ` V....D libx264   …`, ` ... segment   V->N …`. */
function namesIn(list: string): Set<string> {
  return new Set(list.split('\n').map((line) => line.trim().split(/\s+/)[1] ?? ''));
}

function onPath(program: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter(Boolean)
    .map((directory) => join(directory, program))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
