import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Engine, findEngine } from '#features/video/engine.ts';

function look(): Engine | undefined {
  try {
    return findEngine('');
  } catch {
    return undefined;
  }
}

export const engine = look();
export const needsFfmpeg = engine ? false : 'no ffmpeg with libx264 here: `make test` as root on Debian installs it';

const run = promisify(execFile);

/** Makes a video of the engine's own test pictures. `args` come before the target. */
export async function makeVideo(target: string, args: readonly string[]): Promise<string> {
  await run(engine?.ffmpeg ?? 'ffmpeg', ['-v', 'error', '-y', ...args, target]);
  return target;
}

/** A moving test picture of `seconds`, as input arguments. */
export function picture(seconds: number, { size = '320x180', rate = '30' } = {}): string[] {
  return ['-f', 'lavfi', '-i', `testsrc2=s=${size}:r=${rate}:d=${seconds}`];
}

export function tone(seconds: number): string[] {
  return ['-f', 'lavfi', '-i', `sine=frequency=440:d=${seconds}:r=48000`];
}

/** Quick to make, small enough. */
export const H264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '300'];

export interface Seen {
  format: { duration: number; names: string };
  video: { codec: string; width: number; height: number; sar: string; frames: number; rate: string; pixels: string };
  audio: { codec: string; duration: number } | undefined;
  /** `moov` before `mdat`: it plays while it is fetched. */
  fastStart: boolean;
}

interface Stream {
  codec_type: string;
  codec_name: string;
  width: number;
  height: number;
  sample_aspect_ratio: string;
  nb_read_frames: string;
  r_frame_rate: string;
  pix_fmt: string;
  duration: string;
}

/** What ffprobe finds in a clip; every frame is decoded. */
export function lookAt(path: string): Seen {
  const args = ['-v', 'error', '-count_frames', '-show_streams', '-show_format', '-of', 'json', path];
  const { streams, format } = JSON.parse(
    execFileSync(engine?.ffprobe ?? 'ffprobe', args, { encoding: 'utf8', maxBuffer: 1 << 24 }),
  ) as { streams: Stream[]; format: { duration: string; format_name: string } };
  const video = streams.find(({ codec_type }) => codec_type === 'video');
  const audio = streams.find(({ codec_type }) => codec_type === 'audio');
  if (!video) throw new Error(`${path} has no picture`);
  return {
    format: { duration: Number(format.duration), names: format.format_name },
    video: {
      codec: video.codec_name,
      width: video.width,
      height: video.height,
      sar: video.sample_aspect_ratio,
      frames: Number(video.nb_read_frames),
      rate: video.r_frame_rate,
      pixels: video.pix_fmt,
    },
    audio: audio && { codec: audio.codec_name, duration: Number(audio.duration) },
    fastStart: indexFirst(boxesOf(path)),
  };
}

function indexFirst(boxes: string[]): boolean {
  return boxes.indexOf('moov') >= 0 && boxes.indexOf('moov') < boxes.indexOf('mdat');
}

/** The outermost boxes of an MP4, in order. ISO 14496-12 §4.2. */
function boxesOf(path: string): string[] {
  const bytes = readFileSync(path);
  const boxes: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    boxes.push(bytes.toString('latin1', at + 4, at + 8));
    at += size === 1 ? Number(bytes.readBigUInt64BE(at + 8)) : size || bytes.length;
  }
  return boxes;
}

/** The mean colour of one frame in an area `x:y:width:height`, as [red, green, blue]. */
export function colourAt(path: string, second: number, area: string): number[] {
  const [x, y, width, height] = area.split(':');
  const filter = `crop=${width}:${height}:${x}:${y},scale=1:1:flags=area,format=rgb24`;
  const args = [
    '-v',
    'error',
    '-ss',
    String(second),
    '-i',
    path,
    '-frames:v',
    '1',
    '-vf',
    filter,
    '-f',
    'rawvideo',
    '-',
  ];
  return [...execFileSync(engine?.ffmpeg ?? 'ffmpeg', args)];
}

/** Arguments that copy a video with the note that it is to be turned by a quarter; newer engines write it another way. */
export function turned(path: string): string[] {
  const old = Number.parseInt(engine?.version.replace(/^n/, '') ?? '', 10) < 6;
  return old
    ? ['-i', path, '-c', 'copy', '-metadata:s:v', 'rotate=90']
    : ['-display_rotation', '-90', '-i', path, '-c', 'copy'];
}
