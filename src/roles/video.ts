import { type Engine, findEngine } from '#features/video/engine.ts';
import type { FetchVideo } from '#features/video/obtain.ts';
import { videoTask } from '#features/video/video.handler.ts';
import { createFetcher } from '#platform/http/fetch.ts';
import type { TaskDefinition } from '#platform/queue/task.ts';
import type { Platform } from './role.ts';

const IDLE_MS = 30_000;

/** The video room as a worker runs it; the engine is looked for when the first video comes. */
export function openVideo(platform: Platform): TaskDefinition<'video'> {
  const { config, database, objects, tempDir } = platform;
  let engine: Engine | undefined;
  return videoTask({
    db: database.db,
    objects,
    temp_dir: tempDir,
    fetchVideo: fetchVideo(platform),
    max_bytes: config.videoMaxBytes,
    crf: config.videoCrf,
    engine() {
      engine ??= findEngine(config.ffmpeg);
      return engine;
    },
    limits: {
      memory_bytes: config.videoMemory,
      timeout_ms: config.videoTimeout,
      max_pixels: config.videoMaxPixels,
      max_seconds: config.videoMaxSeconds / 1000,
      threads: config.videoThreads,
      preset: config.videoPreset,
    },
  });
}

function fetchVideo({ config }: Platform): FetchVideo {
  const fetch = createFetcher({ allowPrivate: config.fetchAllowPrivate });
  const limits = {
    max_bytes: config.videoMaxBytes,
    too_large: 'video_too_large',
    timeout_ms: config.videoTimeout,
    idle_ms: IDLE_MS,
  } as const;
  return async (url, path, { signal, onProgress }) => {
    const fetched = await fetch(url, path, { limits, signal, onProgress });
    const { bytes: size, content_type = null, filename = 'video' } = fetched;
    return { size, content_type, filename };
  };
}
