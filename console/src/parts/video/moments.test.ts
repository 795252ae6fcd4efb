import assert from 'node:assert/strict';
import test from 'node:test';
import type { Clip } from '../../../../src/contract/video.ts';
import { formatClock, placeOf, stillsOf } from './moments.ts';
import { nameOf } from './name.ts';

const clip = (start: number, content_duration: number, logos: number): Clip => ({
  ...{ file_id: 'f', url: '/files/f/content', width: 1280, height: 720, frames: 1, bytes: 1 },
  ...{ start, content_duration, duration: content_duration + logos },
});

test('a moment of the source is found in its clip, after the logo', () => {
  const clips = [clip(0, 20, 2), clip(20, 5, 2)];
  assert.deepEqual(placeOf(0, clips, undefined), { clip: 0, at: 1 });
  assert.deepEqual(placeOf(19.5, clips, undefined), { clip: 0, at: 20.5 });
  assert.deepEqual(placeOf(20, clips, undefined), { clip: 1, at: 1 });
  assert.deepEqual(placeOf(99, clips, undefined), { clip: 1, at: 6 });
  assert.deepEqual(placeOf(3, [clip(0, 20, 1)], { logo: { at: 'start' } }), { clip: 0, at: 4 });
  assert.deepEqual(placeOf(3, [clip(0, 20, 1)], { logo: { at: 'end' } }), { clip: 0, at: 3 });
  assert.deepEqual(placeOf(3, [], undefined), { clip: 0, at: 0 });
});

test('the pictures of a sprite go row by row and end with the video', () => {
  const sprite = { file_id: 's', columns: 2, rows: 2, width: 160, height: 90, seconds: 4 };
  assert.deepEqual(
    stillsOf(sprite, 11.9).map(({ seconds, x, y }) => [seconds, x, y]),
    [
      [0, 0, 0],
      [4, 160, 0],
      [8, 0, 90],
    ],
  );
  assert.equal(stillsOf(sprite, 0.1).length, 1);
  assert.equal(stillsOf(sprite, 1e6).length, 4);
});

test('lengths and names as people say them', () => {
  assert.deepEqual([0, 59.6, 75, 3600, 3725].map(formatClock), ['0:00', '1:00', '1:15', '1:00:00', '1:02:05']);
  assert.equal(nameOf({ input: { file_id: 'x', filename: 'a.mov' } }), 'a.mov');
  assert.equal(nameOf({ input: { url: 'https://example.org/v/a%20b.mp4?key=1' } }), 'a b.mp4');
  assert.equal(nameOf({ input: { url: 'https://example.org/' } }), 'example.org');
  assert.equal(nameOf({ input: { url: 'https://example.org/%zz' } }), '%zz');
});
