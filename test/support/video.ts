import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { VideoInput, VideoOutput } from '#contract/video.ts';
import { type VideoDeps, videoTask } from '#features/video/video.handler.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { testDatabase } from './database.ts';
import { engine } from './ffmpeg.ts';
import { newWorkspace } from './lake.ts';
import { directoryObjects } from './objects.ts';
import { testQueue } from './worker.ts';

/** Database, queue, objects and a worker that processes videos: everything gone when the test file ends. */
export async function videoRoom(changes: Partial<VideoDeps['limits']> = {}) {
  const root = await mkdtemp(join(tmpdir(), 'caudal-video-'));
  after(() => rm(root, { recursive: true, force: true }));
  const [temp_dir, objectsDir, made] = [join(root, 'temp'), join(root, 'objects'), join(root, 'made')];
  for (const directory of [temp_dir, objectsDir, made]) await mkdir(directory);
  const database = await testDatabase();
  const { db } = database;
  const workspace_id = await newWorkspace(db);
  const queue = await testQueue(database);
  const objects = directoryObjects(objectsDir);
  const deps: VideoDeps = {
    ...{ db, objects, temp_dir, crf: 30, max_bytes: 100_000_000 },
    engine() {
      assert.ok(engine);
      return engine;
    },
    limits: {
      ...{ memory_bytes: 2e9, timeout_ms: 120_000, max_pixels: 4e7, max_seconds: 600, threads: 1, preset: 'ultrafast' },
      ...changes,
    },
    fetchVideo: async () => {
      throw fail('download_failed', 'This room has no network.');
    },
  };
  await queue.work({ video: async () => videoTask(deps) });

  /** A stored file of these bytes. */
  const store = async (path: string, filename: string): Promise<string> => {
    const id = newId();
    const object_key = `files/${workspace_id}/${id}`;
    const { size } = await objects.putFile(object_key, path);
    await sql`INSERT INTO files (id, workspace_id, filename, size, object_key, state, etag)
              VALUES (${id}, ${workspace_id}, ${filename}, ${size}, ${object_key}, 'stored', 'e')`.execute(db);
    return id;
  };
  const start = (input: VideoInput) =>
    transaction(db, (tx) => queue.enqueue(tx, { workspace_id, kind: 'video', input, created_by: null }));
  const process = async (input: VideoInput) => {
    const task = await queue.ended((await start(input)).id);
    return { ...task, output: task.output as unknown as VideoOutput | null };
  };
  const pathOf = (fileId: string): string => join(objectsDir, 'files', workspace_id, fileId);
  return {
    ...{ database, db, workspace_id, root, temp_dir, made, objects, queue, deps },
    store,
    start,
    process,
    pathOf,
  };
}
