import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followTask } from '../../src/cli/follow.ts';
import { readConfig } from '../../src/config.ts';
import type { CompletedUpload } from '../../src/contract/uploads.ts';
import { findEngine } from '../../src/features/video/engine.ts';
import { hdVideo } from '../harness/inputs.ts';
import { sendParts } from '../harness/installation.ts';
import { type Cost, costOf } from '../harness/process-tree.ts';
import type { Bench, Row } from '../harness/row.ts';
import { costs, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';

const PART_SECONDS = 20;

/** A minute of 1080p through the default profile, against one ffmpeg command that somebody wrote for it; then cancels. */
export const video: Row = async (bench) => {
  const seconds = bench.quick ? 2 * PART_SECONDS : 3 * PART_SECONDS;
  const { ffmpeg } = findEngine('');
  const source = await hdVideo(seconds, ffmpeg);
  const arrived = await sendParts(bench.caudal.client, source, 'bench.mp4');
  await bench.caudal.client.post<CompletedUpload>(`uploads/${arrived.upload_id}/complete`, { parts: arrived.parts });
  const gaps: number[] = [];
  const { ours, theirs } = await alternate(
    { rounds: bench.quick ? 1 : bench.rounds },
    () => processed(bench, arrived.file_id, gaps),
    () => byHand(ffmpeg, source, seconds / PART_SECONDS),
  );
  const walls = [ours, theirs].map((all) => median(all.map(({ ms }) => ms))) as [number, number];
  const cancels: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) cancels.push(await cancelled(bench, arrived.file_id));
  const ratio = walls[0] / walls[1];
  const [stop, gap] = [median(cancels), median(gaps)];
  return [
    {
      row: 14,
      work: `${seconds} s of 1080p, default profile`,
      caudal: milliseconds(walls[0]),
      reference: `ffmpeg ${milliseconds(walls[1])}`,
      ratio: times(ratio),
      mark: '≤ 1.05 ×',
      held: ratio <= 1.05,
      cost: costs(ours, theirs),
    },
    {
      row: 14,
      work: 'its progress; a cancel while it encodes',
      caudal: `every ${milliseconds(gap)}; ended after ${milliseconds(stop)}`,
      reference: '—',
      ratio: '—',
      mark: '≤ 500 ms each',
      held: stop <= 500 && gap <= 500,
    },
  ];
};

async function processed({ caudal: { client, pid } }: Bench, file_id: string, gaps: number[]): Promise<Cost> {
  let last: number | undefined;
  const { value, cost } = await costOf(pid, async () => {
    const { id } = await client.post<{ id: string }>('tasks', { file_id });
    return followTask(client, id, AbortSignal.timeout(600_000), ({ detail }) => {
      if (detail?.step !== 'transcode') return;
      const now = performance.now();
      if (last !== undefined) gaps.push(now - last);
      last = now;
    });
  });
  if (value.status !== 'succeeded') throw new Error(`the video ${value.status}: ${JSON.stringify(value.error)}`);
  return cost;
}

/** ms from asking for the cancel to the task's end, its engine gone. */
async function cancelled({ caudal: { client } }: Bench, file_id: string): Promise<number> {
  const { id } = await client.post<{ id: string }>('tasks', { file_id });
  let asked: number | undefined;
  const ended = await followTask(client, id, AbortSignal.timeout(600_000), ({ detail, progress }) => {
    if (asked !== undefined || detail?.step !== 'transcode' || progress < 5) return;
    asked = performance.now();
    void client.delete(`tasks/${id}`);
  });
  if (ended.status !== 'cancelled' || asked === undefined) throw new Error(`a cancelled video ${ended.status}`);
  return performance.now() - asked;
}

/**
 * The same clips as a person would have them made: each part between a second of card before and after, with its sound, 720p,
 * the same encoder settings, the index first, and a poster. The card is one colour here; ours is drawn and fades.
 */
async function byHand(ffmpeg: string, source: string, parts: number): Promise<Cost> {
  const { videoPreset, videoCrf } = readConfig({});
  const directory = mkdtempSync(join(tmpdir(), 'caudal-bench-video-'));
  const numbers = Array.from({ length: parts }, (_, index) => index);
  const each = (name: string) => numbers.map((index) => `[${name}${index}]`).join('');
  const graph = [
    `[0:v]scale=1280:720:flags=bicubic,setsar=1,split=${parts + 1}${each('w')}[p]`,
    `[0:a]asplit=${parts}${each('s')}`,
    '[p]select=gte(t\\,1),trim=end_frame=1[poster]',
    ...numbers.flatMap((index) => [
      `color=0x06131f:s=1280x720:r=30:d=1,format=yuv420p,setsar=1,split[b${index}][e${index}]`,
      `[w${index}]trim=${index * PART_SECONDS}:${(index + 1) * PART_SECONDS},setpts=PTS-STARTPTS[c${index}]`,
      `[b${index}][c${index}][e${index}]concat=n=3[v${index}]`,
      `[s${index}]atrim=${index * PART_SECONDS}:${(index + 1) * PART_SECONDS},asetpts=PTS-STARTPTS,adelay=1000:all=1,apad=pad_dur=1[a${index}]`,
    ]),
  ].join(';');
  const clips = numbers.flatMap((index) => [
    ...['-map', `[v${index}]`, '-map', `[a${index}]`, '-c:v', 'libx264', '-preset', videoPreset],
    ...['-crf', String(videoCrf), '-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart', `clip-${index}.mp4`],
  ]);
  const args = ['-v', 'error', '-y', '-i', source, '-filter_complex', graph, ...clips];
  try {
    return await timed(
      ffmpeg,
      [...args, '-map', '[poster]', '-frames:v', '1', '-update', '1', 'poster.jpg'],
      directory,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function timed(command: string, args: string[], cwd: string): Promise<Cost> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`ffmpeg ended with ${code}`))));
  });
  return (await costOf(process.pid, () => ended)).cost;
}
