import { fail } from '#kernel/errors.ts';
import { type EndedRun, runLimited } from '#platform/process/limited.ts';
import type { Engine } from './engine.ts';

/** What a video is worked on with, for one attempt of one task. */
export interface Workbench {
  engine: Engine;
  /** A directory of this attempt's own; every name below is relative to it. */
  directory: string;
  signal: AbortSignal;
  limits: EngineLimits;
}

export interface EngineLimits {
  memory_bytes: number;
  timeout_ms: number;
  max_pixels: number;
  max_seconds: number;
  /** 0: as many as there are cores. */
  threads: number;
  preset: string;
}

/** The video as it came; a link, so that no path of ours appears in what the engine says. */
export const SOURCE_FILE = 'source';

/**
 * Containers that hold their own bytes. Without this list a playlist of any name is followed to other
 * files (measured: an HLS playlist called .mp4 was read as one, and what it pointed to with it).
 */
const CONTAINERS = 'mov,matroska,webm,avi,mpegts,flv';

export function openSource(): string[] {
  return ['-protocol_whitelist', 'file', '-format_whitelist', CONTAINERS, '-i', `file:${SOURCE_FILE}`];
}

type Program = 'ffmpeg' | 'ffprobe';

/** @throws video_timeout, or the signal's reason */
export async function runEngine(
  bench: Workbench,
  program: Program,
  args: readonly string[],
  onLine?: (line: string) => void,
): Promise<EndedRun> {
  const { engine, directory, signal, limits } = bench;
  const common =
    program === 'ffmpeg' ? ['-hide_banner', '-nostdin', '-y', '-v', 'error'] : ['-hide_banner', '-v', 'error'];
  const ended = await runLimited({
    command: engine[program],
    args: [...common, ...args],
    cwd: directory,
    signal,
    timeout_ms: limits.timeout_ms,
    memory_bytes: limits.memory_bytes,
    nice: 5,
    ...(onLine ? { onLine } : {}),
  });
  if (ended.overdue) {
    throw fail('video_timeout', `Processing the video was stopped after ${Math.round(limits.timeout_ms / 1000)} s.`);
  }
  return ended;
}

/** What it means that the engine ended badly. */
export function engineFailure({ code, signal, stderr }: EndedRun, doing: string): Error {
  const last = lastWords(stderr);
  if (/No space left on device/i.test(stderr)) return fail('storage_full', 'The disk is full.');
  if (/Cannot allocate memory|Error while.*memory/i.test(stderr) || signal) {
    return fail('video_crashed', `${doing} needed more than it may use, or crashed (${signal ?? `exit ${code}`}).`);
  }
  return fail('corrupt_file', `${doing} failed: ${last || `ffmpeg ended with ${code}`}.`);
}

const ADDRESS = / ?@ 0x[0-9a-f]+/g;

/** The last line that the engine wrote, without its memory addresses. */
export function lastWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return (lines.at(-1) ?? '')
    .replaceAll(ADDRESS, '')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .replace(/\.$/, '')
    .slice(0, 300);
}
