import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { VideoOptions, VideoOutput } from '#contract/video.ts';
import { rows, sql } from '#platform/db/db.ts';
import { listProcesses } from '#platform/process/processes.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { eventually } from '../../../test/support/eventually.ts';
import {
  colourAt,
  engine,
  H264,
  lookAt,
  makeVideo,
  needsFfmpeg,
  picture,
  tone,
  turned,
} from '../../../test/support/ffmpeg.ts';
import { videoRoom } from '../../../test/support/video.ts';

/** Only what never comes fails. */
const LONG_MS = 120_000;

test('videos become clips', { skip: needsDatabase || needsFfmpeg }, async (t) => {
  const room = await videoRoom();
  const { made, process, store, pathOf, temp_dir, objects, db } = room;
  let count = 0;
  const make = (args: string[], ending = 'mp4') => {
    count += 1;
    return makeVideo(join(made, `${count}.${ending}`), args);
  };
  const clipsOf = async (args: string[], options: VideoOptions, ending?: string): Promise<VideoOutput> => {
    const path = await make(args, ending);
    const task = await process({ file_id: await store(path, 'a video.mov'), options });
    assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
    assert.ok(task.output);
    return task.output;
  };
  /** What every clip is, whatever it came from. */
  const seen = (output: VideoOutput, index = 0) => {
    const clip = output.clips[index];
    assert.ok(clip);
    const found = lookAt(pathOf(clip.file_id));
    assert.deepEqual(
      [found.video.codec, found.audio?.codec, found.video.sar, found.video.pixels, found.fastStart],
      ['h264', 'aac', '1:1', 'yuv420p', true],
    );
    const [frames, per] = found.video.rate.split('/').map(Number);
    const frame = (per ?? 1) / (frames ?? 1);
    assert.ok(Math.abs(found.format.duration - clip.duration) <= frame, `${found.format.duration} ≠ ${clip.duration}`);
    assert.ok(Math.abs((found.audio?.duration ?? 0) - clip.duration) <= frame, 'sound and picture end together');
    assert.deepEqual([found.video.width, found.video.height], [clip.width, clip.height]);
    return found;
  };

  await t.test(
    'split: no frame is lost between the parts, each has its logos, the poster and the preview',
    async () => {
      const output = await clipsOf([...picture(5), ...tone(5), ...H264, '-c:a', 'aac'], {
        max_seconds: 2,
        height: 180,
      });
      assert.deepEqual(
        output.clips.map(({ start, content_duration, frames }) => [start, content_duration, frames]),
        [
          [0, 2, 60],
          [2, 2, 60],
          [4, 1, 30],
        ],
      );
      const logos = 2 * 30;
      const counted = output.clips.map((_, index) => seen(output, index).video.frames - logos);
      assert.equal(
        counted.reduce((sum, frames) => sum + frames, 0),
        150,
      );
      assert.deepEqual(counted, [60, 60, 30]);
      const files = await rows(
        db,
        sql<{ id: string; filename: string; content_type: string; state: string }>`
        SELECT id, filename, content_type, state FROM files WHERE task_id IS NOT NULL ORDER BY id`,
      );
      assert.deepEqual(
        files.map(({ filename, content_type, state }) => `${filename} ${content_type} ${state}`),
        [
          'a video-1.mp4 video/mp4 stored',
          'a video-2.mp4 video/mp4 stored',
          'a video-3.mp4 video/mp4 stored',
          'a video-poster.jpg image/jpeg stored',
          'a video-sprite.jpg image/jpeg stored',
        ],
      );
      assert.equal(output.clips[0]?.url, `/files/${output.clips[0]?.file_id}/content`);
      assert.equal(output.poster_url, `/files/${output.poster_file_id}/content`);
      assert.deepEqual(
        output.lineage.map(({ step }) => step),
        ['probe', 'transcode', 'poster', 'store'],
      );
    },
  );

  await t.test('trim keeps the beginning; without logo and sound; another shape, cropped', async () => {
    const options: VideoOptions = {
      ...{ mode: 'trim', max_seconds: 1, aspect: '1:1', fit: 'crop', height: 200, audio: false, fps: 25 },
      logo: { at: 'none' },
    };
    const output = await clipsOf([...picture(3), ...H264], options);
    assert.equal(output.clips.length, 1);
    const found = lookAt(pathOf(output.clips[0]?.file_id ?? ''));
    assert.deepEqual([found.video.width, found.video.height, found.video.frames], [200, 200, 25]);
    assert.equal(found.audio, undefined);
  });

  await t.test('turned: what lies on its side in the file stands as a person sees it', async () => {
    const halves = ['-f', 'lavfi', '-i', 'color=red:s=160x60:d=1:r=10,pad=160:120:0:0:blue'];
    const lying = await make([...halves, ...H264]);
    const output = await clipsOf([...turned(lying)], { height: 180, aspect: '9:16' });
    assert.equal(Math.abs(Number(output.source['rotation'])), 90);
    assert.deepEqual([output.source['display_width'], output.source['display_height']], [120, 160]);
    const { video } = seen(output);
    const clip = pathOf(output.clips[0]?.file_id ?? '');
    const middle = video.height / 2;
    const [left, right] = [20, video.width - 30].map((x) => colourAt(clip, 1.5, `${x}:${middle}:10:10`));
    // The red half was above: it is on one side now, and blue on the other.
    const sides = [left, right].map(([red = 0, , blue = 0] = []) => (red > blue ? 'red' : 'blue'));
    assert.deepEqual(sides.sort(), ['blue', 'red'], `${left} ${right}`);
  });

  await t.test('odd sizes, no sound, square pixels where they were not', async () => {
    const odd = await clipsOf(
      [...picture(1, { size: '161x121', rate: '15' }), '-c:v', 'mpeg4', '-q:v', '3'],
      { height: 144 },
      'avi',
    );
    assert.deepEqual([seen(odd).video.width, seen(odd).video.height], [256, 144]);
    assert.equal(odd.source['audio'], null);
    const wide = await clipsOf([...picture(1, { size: '100x100' }), '-vf', 'setsar=2', ...H264], {
      height: 100,
      aspect: 'source',
    });
    assert.deepEqual([seen(wide).video.width, seen(wide).video.height], [200, 100]);
  });

  await t.test('a variable rate becomes a constant one of the same length', async () => {
    const output = await clipsOf(
      [...picture(4), '-vf', "select='if(lt(t,2),1,not(mod(n,3)))'", '-fps_mode', 'vfr', ...H264],
      { max_seconds: 20, height: 144 },
      'mkv',
    );
    assert.equal(output.source['variable_rate'], true);
    const { video, format } = seen(output);
    assert.ok(Math.abs(format.duration - 6) < 0.1, `${format.duration}`);
    assert.ok(video.frames >= 80 + 2 * 20);
  });

  await t.test('what is not a video fails with its own reason and leaves nothing', async () => {
    const cases: [string, string | Buffer, string][] = [
      ['list.mp4', '#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', 'playlist_refused'],
      ['concat.mp4', 'ffconcat version 1.0\nfile /etc/passwd\n', 'playlist_refused'],
      ['empty.mp4', '', 'empty_file'],
      ['page.mp4', '<!DOCTYPE html><title>404</title>', 'not_a_video'],
      ['noise.mp4', Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256)), 'not_a_video'],
      ['subtitles.mp4', '1\n00:00:01,000 --> 00:00:02,000\nHello\n', 'not_a_video'],
    ];
    const before = (await objects.keys()).length;
    for (const [name, content, code] of cases) {
      const path = join(made, name);
      await writeFile(path, content);
      const task = await process({ file_id: await store(path, name) });
      assert.equal(task.error?.code, code, `${name}: ${JSON.stringify(task)}`);
    }
    const sound = await make([...tone(1), '-c:a', 'aac']);
    assert.match(
      (await process({ file_id: await store(sound, 's.mp4') })).error?.message ?? '',
      /sound, but no picture/,
    );
    assert.equal((await objects.keys()).length, before + cases.length + 1);
    assert.deepEqual(await readdir(temp_dir), []);
  });

  await t.test('too long, too many pixels', async () => {
    const path = await make([...picture(2), ...H264]);
    const copy = join(made, 'copy.mp4');
    await copyFile(path, copy);
    room.deps.limits.max_seconds = 1;
    assert.equal((await process({ file_id: await store(path, 'x.mp4') })).error?.code, 'video_too_long');
    Object.assign(room.deps.limits, { max_seconds: 600, max_pixels: 10_000 });
    assert.equal((await process({ file_id: await store(copy, 'x.mp4') })).error?.code, 'video_too_many_pixels');
    room.deps.limits.max_pixels = 4e7;
  });

  const cancel = (id: string) => sql`UPDATE tasks SET cancel_requested_at = now() WHERE id = ${id}`.execute(db);
  /** No object more than before, no directory of an attempt, no process that works in one. */
  const nothingLeft = async (objectsBefore: number): Promise<void> => {
    assert.equal((await objects.keys()).length, objectsBefore);
    assert.deepEqual(await rows(db, sql`SELECT * FROM task_objects`), []);
    await eventually(async () => ((await readdir(temp_dir)).length === 0 ? true : undefined), LONG_MS);
    assert.deepEqual(
      listProcesses().filter(({ cwd }) => cwd.startsWith(temp_dir)),
      [],
    );
  };

  await t.test('cancelled at any step: nothing of it is left, neither processes nor files', async (t) => {
    const path = await make([...picture(2, { size: '64x36', rate: '10' }), ...tone(2), ...H264, '-c:a', 'aac']);
    const file_id = await store(path, 'steps.mp4');
    const before = (await objects.keys()).length;
    const held = holdingEngine(room.root);
    const own = room.deps.engine;
    room.deps.engine = () => held.engine;
    t.after(() => {
      room.deps.engine = own;
    });
    // The two parts are encoded in one pass and written one after the other.
    const options: VideoOptions = { max_seconds: 1, height: 64, logo: { at: 'none' } };
    const steps = {
      probe: '-show_entries',
      'the picture': 'picture.graph',
      'the sound': 'sound.graph',
      'the first part': 'faststart -f mp4 clip-0000.mp4',
      'the second part': 'faststart -f mp4 clip-0001.mp4',
      poster: 'poster.jpg',
      preview: 'sprite.jpg',
    };
    for (const [step, words] of Object.entries(steps)) {
      await t.test(step, async () => {
        const { reached } = held.holdAt(words);
        const { id } = await room.start({ file_id, options });
        await eventually(async () => reached() || undefined, LONG_MS);
        await cancel(id);
        assert.equal((await room.queue.ended(id)).status, 'cancelled');
        await nothingLeft(before);
      });
    }
    held.holdAt('');

    await t.test('download', async () => {
      const reached = Promise.withResolvers<void>();
      room.deps.fetchVideo = async (_url, target, { signal, onProgress }) => {
        await writeFile(target, 'the first bytes');
        onProgress(15, undefined);
        reached.resolve();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
        throw new Error('it never ends');
      };
      const { id } = await room.start({ url: 'https://endless.example/' });
      await reached.promise;
      await cancel(id);
      assert.equal((await room.queue.ended(id)).status, 'cancelled');
      await nothingLeft(before);
    });

    await t.test('store: what has been put is taken away again', async (t) => {
      const { putFile } = objects;
      const started = Promise.withResolvers<string>();
      const put = t.mock.method(objects, 'putFile', async (...args: Parameters<typeof putFile>) => {
        await cancel(await started.promise);
        return putFile(...args);
      });
      const { id } = await room.start({ file_id, options });
      started.resolve(id);
      assert.equal((await room.queue.ended(id)).status, 'cancelled');
      assert.ok(put.mock.callCount() > 0, 'something had been put');
      await nothingLeft(before);
    });
  });
});

/** The engine, which stops at the first call whose command line holds these words. A process of its own then waits in its place. */
function holdingEngine(directory: string) {
  assert.ok(engine);
  const bin = join(directory, 'bin');
  const [words, reached] = [join(bin, 'hold'), join(bin, 'reached')];
  mkdirSync(bin);
  for (const program of ['ffmpeg', 'ffprobe'] as const) {
    const script = `#!/bin/sh
hold=$(cat '${words}')
case "$*" in *"\${hold:-nothing is held}"*) : > '${reached}'; sleep 1000 & wait ;; esac
exec '${engine[program]}' "$@"
`;
    writeFileSync(join(bin, program), script, { mode: 0o755 });
  }
  return {
    engine: { ...engine, ffmpeg: join(bin, 'ffmpeg'), ffprobe: join(bin, 'ffprobe') },
    holdAt(text: string) {
      rmSync(reached, { force: true });
      writeFileSync(words, text);
      return { reached: () => existsSync(reached) };
    },
  };
}
