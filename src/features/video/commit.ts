import { join } from 'node:path';
import { traceIdOf } from '#contract/carrier.ts';
import type { Clip, VideoOutput } from '#contract/video.ts';
import { CaudalError } from '#kernel/errors.ts';
import { faultPoint } from '#kernel/fault-points.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql, type Tx, transaction } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';
import { fileKey } from '#platform/objects/keys.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { currentCarrier } from '#platform/observe/tracing.ts';
import { Fenced, type TaskContext } from '#platform/queue/task.ts';
import { forget, noteObject, removeObjects } from './leftovers.ts';
import type { Lineage } from './lineage.ts';
import type { Obtained } from './obtain.ts';
import type { Plan } from './plan.ts';
import type { Sprite } from './preview.ts';
import { perSecond } from './rate.ts';
import type { MadeClip } from './transcode.ts';
import { SOURCE_FILE } from './workbench.ts';

export interface CommitDeps {
  db: Db;
  objects: Pick<ObjectStore, 'putFile' | 'delete'>;
}

/** What was made, in the attempt's directory. */
export interface Made {
  plan: Plan;
  clips: MadeClip[];
  poster: string;
  sprite: Sprite | undefined;
  original: Obtained;
  source: VideoOutput['source'];
  warnings: string[];
}

interface NewFile {
  id: string;
  filename: string;
  content_type: string;
  object_key: string;
  size: number;
  etag: string;
}

const keysOf = (files: readonly NewFile[]): string[] => files.map(({ object_key }) => object_key);

type Context = TaskContext<'video'>;
type Output = Omit<VideoOutput, 'lineage'>;

/**
 * Makes the results durable and then, in one transaction, files of the task's workspace: all or nothing, and
 * only while this run holds the task. When it is known that nothing was committed the objects go at once;
 * when this run is killed, or its connection breaks, the next run of the task removes them.
 */
export async function commitVideo(
  deps: CommitDeps,
  context: Context,
  directory: string,
  made: Made,
  lineage: Lineage,
): Promise<void> {
  const stored: NewFile[] = [];
  try {
    const output = await lineage.step('store', {}, async (note) => {
      const result = await storeAll(deps, context, directory, made, stored);
      note({ files: stored.length, bytes: stored.reduce((sum, file) => sum + file.size, 0) });
      return result;
    });
    await transaction(deps.db, async (tx) => {
      await sql`SELECT 1 FROM tasks WHERE id = ${context.task.id} FOR UPDATE`.execute(tx);
      for (const file of stored) await insertFile(tx, context, file);
      await forget(tx, context.task.id, keysOf(stored));
      await context.succeed(tx, { ...output, lineage: lineage.steps } satisfies VideoOutput as never);
      faultPoint('video.before-commit');
    });
  } catch (error) {
    if (rolledBack(error, context.signal)) {
      await removeObjects(deps, context.task.id, keysOf(stored)).catch(() => undefined);
    }
    throw error;
  }
  faultPoint('video.after-commit');
}

/** Our own words were thrown inside of the transaction, or before it began: nothing of it happened. */
function rolledBack(error: unknown, signal: AbortSignal): boolean {
  return error instanceof CaudalError || error instanceof Fenced || error === signal.reason;
}

async function storeAll(
  deps: CommitDeps,
  { task, signal }: Context,
  directory: string,
  made: Made,
  stored: NewFile[],
): Promise<Output> {
  const { plan, clips, original, sprite } = made;
  const stem = stemOf(original.filename);
  const put = async (name: string, filename: string, content_type: string): Promise<NewFile> => {
    signal.throwIfAborted();
    const id = newId();
    const object_key = fileKey(task.workspace_id, id);
    // Noted before it is put: a cancel in the middle finds it.
    const file: NewFile = { id, filename, content_type, object_key, size: 0, etag: '' };
    stored.push(file);
    await noteObject(deps.db, task.id, object_key);
    const { size, etag } = await deps.objects.putFile(object_key, join(directory, name), { content_type });
    return Object.assign(file, { size, etag });
  };
  const kept: Clip[] = [];
  for (const [index, clip] of clips.entries()) {
    const suffix = clips.length > 1 ? `-${index + 1}` : '-clip';
    kept.push(clipOf(plan, clip, await put(clip.name, `${stem}${suffix}.mp4`, 'video/mp4')));
  }
  const poster = await put(made.poster, `${stem}-poster.jpg`, 'image/jpeg');
  const strip = sprite && (await put(sprite.name, `${stem}-sprite.jpg`, 'image/jpeg'));
  const file_id =
    original.file_id ??
    (await put(SOURCE_FILE, original.filename, original.content_type ?? 'application/octet-stream')).id;
  return {
    clips: kept,
    poster_url: contentUrl(poster.id),
    poster_file_id: poster.id,
    sprite_url: strip ? contentUrl(strip.id) : null,
    sprite: sprite && strip ? { file_id: strip.id, ...withoutName(sprite) } : null,
    original: { file_id, url: contentUrl(file_id) },
    source: made.source,
    warnings: made.warnings,
  };
}

function withoutName({ columns, rows, width, height, seconds }: Sprite) {
  return { columns, rows, width, height, seconds };
}

function clipOf(plan: Plan, { part, frames }: MadeClip, file: NewFile): Clip {
  const seconds = (count: number): number => Math.round((count / perSecond(plan.rate)) * 1e6) / 1e6;
  return {
    file_id: file.id,
    url: contentUrl(file.id),
    duration: seconds(frames),
    width: plan.width,
    height: plan.height,
    start: seconds(part.start),
    content_duration: seconds(part.end - part.start),
    frames: part.end - part.start,
    bytes: file.size,
  };
}

const contentUrl = (fileId: string): string => `/files/${fileId}/content`;

/** `holiday.MOV` → `holiday`; never empty. */
function stemOf(filename: string): string {
  return filename.replace(/\.[a-z0-9]{1,5}$/i, '').slice(0, 200) || 'video';
}

async function insertFile(tx: Tx, { task }: Context, file: NewFile): Promise<void> {
  const carrier = currentCarrier();
  await sql`
    INSERT INTO files (id, workspace_id, filename, size, content_type, etag, object_key, state, task_id, carrier, trace_id, created_by)
    VALUES (${file.id}, ${task.workspace_id}, ${file.filename}, ${file.size}, ${file.content_type}, ${file.etag},
            ${file.object_key}, 'stored', ${task.id}, ${jsonText(carrier)}::jsonb, ${traceIdOf(carrier)},
            ${task.created_by})`.execute(tx);
}
