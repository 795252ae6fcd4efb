import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { needsDatabase } from '../../../test/support/database.ts';
import { lookAt, needsFfmpeg } from '../../../test/support/ffmpeg.ts';
import { sharedData } from '../../../test/support/shared-data.ts';
import { videoRoom } from '../../../test/support/video.ts';

interface Truth {
  file: string;
  ffprobe_rc: number;
  duration: number | null;
  video?: { nb_frames?: string; rotation?: number };
  decode_rc: number;
}

const folder = sharedData('video');
const skip = needsDatabase || needsFfmpeg || (folder ? false : 'no shared test data');
/** Container and packets promise more than there is: 40 hours, or a header without its frames. */
const LYING = ['androidx__sample_fragmented.mp4'];

test('videos from the world end in the right state', { skip }, async (t) => {
  const room = await videoRoom();
  const truths = JSON.parse(await readFile(join(folder ?? '', 'truth.json'), 'utf8')) as Truth[];
  assert.ok(truths.length > 20);
  for (const { file, ffprobe_rc, video, decode_rc, duration } of truths) {
    await t.test(file, async () => {
      const copy = join(room.made, file);
      await copyFile(join(folder ?? '', file), copy);
      const file_id = await room.store(copy, file);
      const task = await room.process({ file_id, options: { height: 90, logo: { at: 'none' } } });
      if (ffprobe_rc !== 0 || !video || decode_rc !== 0) {
        assert.equal(task.status, 'failed');
        assert.match(task.error?.code ?? '', /^(not_a_video|corrupt_file|truncated_file)$/);
        return;
      }
      assert.equal(task.status, 'succeeded', JSON.stringify(task.error));
      const clips = task.output?.clips ?? [];
      const seen = clips.map((clip) => lookAt(room.pathOf(clip.file_id)));
      for (const [index, each] of seen.entries()) {
        assert.deepEqual(
          [each.video.codec, each.audio?.codec, each.video.sar, each.fastStart],
          ['h264', 'aac', '1:1', true],
        );
        assert.deepEqual([each.video.width, each.video.height], [160, 90]);
        const [frames = 1, per = 1] = each.video.rate.split('/').map(Number);
        assert.ok(Math.abs(each.format.duration - (clips[index]?.duration ?? 0)) <= per / frames);
      }
      const frames = seen.reduce((sum, each) => sum + each.video.frames, 0);
      const promised = Number(video.nb_frames ?? 0);
      if (promised > 0 && !task.output?.source['variable_rate'])
        assert.ok(Math.abs(frames - promised) <= 1, `${frames} of ${promised}`);
      const length = seen.reduce((sum, each) => sum + each.format.duration, 0);
      // A container's duration also counts sound before and after the picture.
      if (duration && !LYING.includes(file))
        assert.ok(Math.abs(length - duration) <= Math.max(0.25, duration * 0.05), `${length} of ${duration} s`);
    });
  }
});
