import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { VideoOutput } from '#contract/video.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { histogram } from '#platform/observe/metrics/instruments.ts';
import { recordSpan } from '#platform/observe/tracing.ts';
import type { TaskContext, TaskDefinition } from '#platform/queue/task.ts';
import { type CommitDeps, commitVideo } from './commit.ts';
import type { Engine } from './engine.ts';
import { isHdr } from './graph.ts';
import { removeLeftovers } from './leftovers.ts';
import { createLineage, type Lineage } from './lineage.ts';
import { drawLogo } from './logo/draw.ts';
import { linked, type ObtainDeps, type Obtained, obtain } from './obtain.ts';
import { clipFrames, type Plan, planClips } from './plan.ts';
import { makePoster, makeSprite } from './preview.ts';
import { probe } from './probe.ts';
import { type Profile, profileOf } from './profile.ts';
import { perSecond } from './rate.ts';
import type { Source } from './source.ts';
import { arrivedFile } from './start-video.ts';
import { progressOf, type Transcoded, transcode } from './transcode.ts';
import type { EngineLimits, Workbench } from './workbench.ts';

export interface VideoDeps extends ObtainDeps, CommitDeps {
  objects: ObtainDeps['objects'] & CommitDeps['objects'];
  /** @throws no_video_engine */
  engine(): Engine;
  limits: EngineLimits;
  crf: number;
  /** Existing directory for temporary files, on the object store's file system: clips are then moved. */
  temp_dir: string;
}

type Context = TaskContext<'video'>;

/** Where in 0–100 each step begins; the download has a share only where there is one. */
const DOWNLOADED = 15;
const PROBED = 2;
const ENCODED = 95;

/**
 * A video becomes clips: fetched, looked at, encoded, stored, then one transaction with the files and the
 * task. Everything it writes lies in a directory of this attempt, which goes whatever happens.
 */
export function videoTask(deps: VideoDeps): TaskDefinition<'video'> {
  return { kind: 'video', handle: (context) => handle(deps, context) };
}

async function handle(deps: VideoDeps, context: Context): Promise<void> {
  const { task, signal } = context;
  await removeLeftovers(deps, task.id);
  const engine = deps.engine();
  const profile = profileOf(task.input.options ?? {}, deps);
  const lineage = createLineage({ 'caudal.workspace': task.workspace_id, 'caudal.task.id': task.id }, () => new Date());
  const directory = await mkdtemp(join(deps.temp_dir, 'video-'));
  const bench: Workbench = { engine, directory, signal, limits: deps.limits };
  let obtained: Obtained | undefined;
  try {
    obtained = await obtain(deps, context, directory, lineage, (share, bytes, total_bytes) =>
      context.progress(DOWNLOADED * share, { step: 'download', bytes, ...(total_bytes ? { total_bytes } : {}) }),
    );
    const source = await examine(bench, lineage);
    const plan = planClips(source, profile);
    const transcoded = await make(deps, context, bench, plan, source, profile, lineage);
    const previews = await lineage.step('poster', { second: plan.poster / perSecond(plan.rate) }, async () => ({
      poster: await makePoster(bench, plan, transcoded.clips),
      sprite: await makeSprite(bench, plan, transcoded.clips),
    }));
    faultPoint('video.after-transcode');
    context.progress(ENCODED, { step: 'store' });
    const warnings = [...source.warnings, ...transcoded.warnings];
    const made = {
      plan,
      clips: transcoded.clips,
      ...previews,
      original: obtained,
      source: facts(source, plan),
      warnings,
    };
    await commitVideo(deps, context, directory, made, lineage);
    measure(plan, transcoded);
  } finally {
    await obtained?.release();
    await rm(directory, { recursive: true, force: true });
  }
}

function examine(bench: Workbench, lineage: Lineage): Promise<Source> {
  return lineage.step('probe', {}, async (note) => {
    const source = await probe(bench);
    const { video, audio, container } = source;
    note({
      container,
      codec: video.codec,
      width: video.width,
      height: video.height,
      frames: video.packets,
      seconds: video.end - video.first,
      audio: audio?.codec ?? 'none',
    });
    return source;
  });
}

async function make(
  deps: VideoDeps,
  context: Context,
  bench: Workbench,
  plan: Plan,
  source: Source,
  profile: Profile,
  lineage: Lineage,
): Promise<Transcoded> {
  await prepareLogo(deps, context, bench, plan, profile);
  const before = (context.task.input.url === undefined ? 0 : DOWNLOADED) + PROBED;
  const total_seconds = plan.frames / perSecond(plan.rate);
  context.progress(before, { step: 'transcode', seconds: 0, total_seconds });
  return lineage.step('transcode', { engine: bench.engine.version, parts: plan.parts.length }, async (note) => {
    let began = Date.now();
    const onPart = (index: number): void => {
      const now = Date.now();
      recordPart(plan, index, began, now, context.task.workspace_id);
      began = now;
    };
    const transcoded = await transcode(bench, plan, source, {
      onPart,
      onProgress(frames, speed) {
        const done = progressOf(plan, frames);
        const seconds = Math.round(done * total_seconds * 100) / 100;
        const detail = { step: 'transcode', seconds, total_seconds, ...(speed === undefined ? {} : { speed }) };
        context.progress(before + (ENCODED - before) * done, detail);
      },
    });
    onPart(plan.parts.length - 1);
    note({ clips: transcoded.clips.length, realtime_factor: factorOf(plan, transcoded) });
    return transcoded;
  });
}

async function prepareLogo(
  deps: VideoDeps,
  { task, signal }: Context,
  bench: Workbench,
  plan: Plan,
  { logo }: Profile,
): Promise<void> {
  if (plan.logo.start + plan.logo.end === 0) return;
  if (logo.file_id === undefined) return drawLogo(bench, plan);
  const file = await arrivedFile(deps.db, task.workspace_id, logo.file_id);
  const object = await deps.objects.local(file.object_key);
  try {
    signal.throwIfAborted();
    await linked(object.path, join(bench.directory, 'logo-source'));
    await drawLogo(bench, plan, 'logo-source');
  } finally {
    await object.release();
  }
}

function recordPart(plan: Plan, index: number, start: number, end: number, workspace: string): void {
  const part = plan.parts[index];
  if (!part) return;
  const attributes = {
    'caudal.workspace': workspace,
    'caudal.video.part': index + 1,
    'caudal.video.frames': part.end - part.start,
    'caudal.video.clip_frames': clipFrames(plan, part),
  };
  recordSpan(`part ${index + 1}`, { start, end, attributes });
}

/** What a person wants to know of the source, beside the clips. */
function facts({ video, audio, container }: Source, plan: Plan): VideoOutput['source'] {
  return {
    container,
    codec: video.codec,
    width: video.width,
    height: video.height,
    display_width: Math.round(video.display.width),
    display_height: Math.round(video.display.height),
    rotation: video.rotation,
    duration: Math.round((video.end - video.first) * 1000) / 1000,
    frames: video.packets,
    fps: Math.round(video.average * 1000) / 1000,
    clip_fps: Math.round(perSecond(plan.rate) * 1000) / 1000,
    variable_rate: !video.constant && video.packets > 1,
    hdr: isHdr(video),
    audio: audio?.codec ?? null,
  };
}

/** Seconds of content per second of the clock. */
function factorOf(plan: Plan, { seconds }: Transcoded): number {
  return Math.round((plan.frames / perSecond(plan.rate) / Math.max(seconds, 1e-3)) * 1000) / 1000;
}

function measure(plan: Plan, transcoded: Transcoded): void {
  histogram('caudal.video.realtime_factor').record(factorOf(plan, transcoded));
  histogram('caudal.video.seconds').record(plan.frames / perSecond(plan.rate));
}
