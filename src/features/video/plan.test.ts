import assert from 'node:assert/strict';
import test from 'node:test';
import { CaudalError } from '#kernel/errors.ts';
import fc from '../../../test/support/laws.ts';
import { pictureGraph, soundGraph } from './graph.ts';
import { allFrames, clipFrames, partsMade, partsOf, planClips } from './plan.ts';
import { profileOf } from './profile.ts';
import { clipRate, perSecond } from './rate.ts';
import { judgeBeginning } from './sniff.ts';
import { chooseStreams, describeSource, type Source } from './source.ts';

const source = (changes: Partial<Source['video']> = {}, more: Partial<Source> = {}): Source => ({
  container: 'mov',
  start: 0,
  audio: { index: 1, codec: 'aac', first: 0, end: 60 },
  still_seconds: 0,
  warnings: [],
  ...more,
  video: {
    ...{ index: 0, codec: 'h264', width: 1920, height: 1080, display: { width: 1920, height: 1080 }, rotation: 0 },
    ...{ pixel_format: 'yuv420p', transfer: '', primaries: '', matrix: '', interlaced: false },
    ...{ packets: 1800, first: 0, last: 60 - 1 / 30, end: 60 },
    ...{ average: 30, constant: true, usual: 1 / 30, nominal: { num: 30, den: 1 } },
    ...changes,
  },
});
const plan = (options = {}, from = source()) => planClips(from, profileOf(options, { crf: 23 }));

test('law: parts cover every frame once, in order, none longer than allowed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200_000 }), fc.integer({ min: 1, max: 5_000 }), (frames, longest) => {
      const parts = partsOf(frames, longest);
      assert.equal(parts[0]?.start, 0);
      assert.equal(parts.at(-1)?.end, frames);
      for (const [index, part] of parts.entries()) {
        assert.ok(part.end > part.start && part.end - part.start <= longest);
        if (index > 0) assert.equal(part.start, parts[index - 1]?.end);
      }
    }),
  );
});

test('law: a plan of any source covers its timeline; a damaged one keeps what was decoded', () => {
  // Parts of 3 s at least: a longer source could become more than the 200 clips that are allowed.
  const seconds = fc.double({ min: 0.05, max: 550, noNaN: true });
  fc.assert(
    fc.property(
      seconds,
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 3, max: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (end, fps, max_seconds, share) => {
        const made = planClips(
          source(
            { end, last: Math.max(0, end - 1 / fps), average: fps, usual: 1 / fps, nominal: { num: fps, den: 1 } },
            { audio: undefined },
          ),
          profileOf({ max_seconds }, { crf: 23 }),
        );
        const covered = made.parts.reduce((sum, part) => sum + part.end - part.start, 0);
        assert.equal(covered, made.frames);
        assert.ok(Math.abs(made.frames / perSecond(made.rate) - end) <= 1.5 / perSecond(made.rate) + 1 / fps);
        const decoded = Math.floor(made.frames * share);
        assert.equal(
          partsMade(made, decoded).reduce((sum, part) => sum + part.end - part.start, 0),
          decoded,
        );
      },
    ),
  );
});

test('the default profile: 20 s of content, a second of logo on either side, 1280 × 720', () => {
  const made = plan();
  assert.deepEqual([made.width, made.height, made.frames, made.sound], [1280, 720, 1800, 'source']);
  assert.deepEqual(
    made.parts.map(({ start, end }) => [start, end]),
    [
      [0, 600],
      [600, 1200],
      [1200, 1800],
    ],
  );
  assert.deepEqual(
    made.parts.map((part) => clipFrames(made, part)),
    [660, 660, 660],
  );
  assert.equal(allFrames(made), 1980);
  const trimmed = plan({ mode: 'trim', logo: { at: 'end', seconds: 2 }, audio: false });
  assert.deepEqual(
    [trimmed.parts.length, trimmed.frames, trimmed.logo, trimmed.sound],
    [1, 600, { start: 0, end: 60 }, 'none'],
  );
});

test('sound that goes on after the picture is kept with the last picture', () => {
  const made = plan({}, source({}, { audio: { index: 1, codec: 'aac', first: 0, end: 70 } }));
  assert.deepEqual([made.frames, made.tail_frames], [2100, 300]);
  assert.equal(plan({}, source({}, { audio: { index: 1, codec: 'aac', first: 0, end: 60.04 } })).frames, 1800);
});

test('rates: constant ones are kept, odd ones are what they are meant to be', () => {
  const cases: [average: number, constant: boolean, nominal: [number, number] | undefined, wanted: [number, number]][] =
    [
      [29.97, true, [30_000, 1001], [30_000, 1001]],
      [23.482, true, [24_000, 1001], [24_000, 1001]],
      [29.97, false, [30, 1], [30, 1]],
      [28.2, false, [1000, 1], [30_000, 1001]],
      [120, true, [120, 1], [60, 1]],
      [2, true, [2, 1], [10, 1]],
      [500, false, [1000, 1], [60, 1]],
      [0, false, undefined, [25, 1]],
    ];
  for (const [average, constant, nominal, [num, den]] of cases) {
    const usual = nominal && nominal[0] < 1000 ? nominal[1] / nominal[0] : 1 / (nominal ? nominal[0] / nominal[1] : 1);
    const rate = clipRate({ average, constant, usual, nominal: nominal && { num: nominal[0], den: nominal[1] } });
    assert.ok(Math.abs(perSecond(rate) - num / den) < 1e-9, `${average} → ${rate.num}/${rate.den}`);
  }
});

test('graphs: one sink for the picture, as many for the sound as there are clips; nothing of a user’s in them', () => {
  const made = plan({ max_seconds: 20 });
  const picture = pictureGraph(made, source(), { zscale: true });
  assert.match(picture, /segment=frames=600\|1200\[c0\]\[c1\]\[c2\]/);
  assert.match(picture, /concat=n=9:v=1:a=0/);
  assert.equal([...picture.matchAll(/\[v\]/g)].length, 1);
  assert.match(soundGraph(made, source()), /asegment=samples=960000\|1920000/);
  assert.match(soundGraph(made, undefined), /^anullsrc=/);
  const hdr = pictureGraph(made, source({ transfer: 'smpte2084', primaries: 'bt2020', matrix: 'bt2020nc' }), {
    zscale: true,
  });
  assert.match(hdr, /tonemap=tonemap=hable/);
  const tall = pictureGraph(made, source({ display: { width: 1080, height: 1920 } }), { zscale: true });
  assert.match(tall, /scale=406:720:.*pad=1280:720/);
  const cropped = pictureGraph(plan({ fit: 'crop' }), source({ display: { width: 1080, height: 1920 } }), {
    zscale: true,
  });
  assert.match(cropped, /scale=1280:2276:.*crop=1280:720/);
});

test('a profile that cannot be made is refused by its field', () => {
  assert.throws(
    () => profileOf({ aspect: '100:1' }, { crf: 23 }),
    (error) => error instanceof CaudalError && error.errors?.[0]?.field === 'options.aspect',
  );
  assert.throws(
    () => plan({ max_seconds: 1 }, source({ end: 3000, last: 2999.9 })),
    (error) => error instanceof CaudalError && error.code === 'video_too_long',
  );
});

test('what is plainly no video is called by its name', () => {
  const cases: [string | Buffer, string][] = [
    ['', 'empty_file'],
    ['\ufeff  #EXTM3U\n', 'playlist_refused'],
    ['<?xml version="1.0"?><MPD xmlns="x">', 'playlist_refused'],
    ['[playlist]\nFile1=x', 'playlist_refused'],
    ['{"a": 1}', 'not_a_video'],
    [Buffer.from('89504e470d0a1a0a', 'hex'), 'not_a_video'],
    [Buffer.from('1f8b0800', 'hex'), 'not_a_video'],
  ];
  for (const [content, code] of cases) {
    assert.throws(
      () => judgeBeginning(Buffer.from(content)),
      (error) => error instanceof CaudalError && error.code === code,
      String(content),
    );
  }
  judgeBeginning(Buffer.from('0000002066747970', 'hex'));
});

test('streams: covers are no pictures, a cut-off file says so', () => {
  const cover = {
    index: 0,
    codec_type: 'video',
    codec_name: 'mjpeg',
    width: 600,
    height: 600,
    disposition: { attached_pic: 1 },
  };
  const sound = { index: 1, codec_type: 'audio', codec_name: 'mp3' };
  const refused = (code: string) => (error: unknown) => error instanceof CaudalError && error.code === code;
  assert.throws(() => chooseStreams({ streams: [cover, sound] }, { max_pixels: 1e6 }), refused('not_a_video'));
  const video = { index: 2, codec_type: 'video', codec_name: 'h264', width: 100, height: 100, nb_frames: '100' };
  const chosen = chooseStreams({ streams: [cover, sound, video] }, { max_pixels: 1e6 });
  assert.deepEqual([chosen.video.index, chosen.audio?.index], [2, 1]);
  const packets = new Map([[2, { pts: [0, 0.1, 0.2], end: 0.3 }]]);
  assert.throws(
    () => describeSource({}, chosen, packets, { max_seconds: 10, max_pixels: 1e6 }),
    refused('truncated_file'),
  );
});
