import { fail } from '#kernel/errors.ts';
import { type Measured, parseRate } from './rate.ts';

/** What the probe says of a file, once it is known to be a video. Times are seconds of its own clock. */
export interface Source {
  container: string;
  /** The first moment of any of its streams. */
  start: number;
  video: VideoTrack;
  audio: Track | undefined;
  /** For a video of a single picture: how long the container says that it stands. */
  still_seconds: number;
  warnings: string[];
}

interface Track {
  /** Number of the stream in the file. */
  index: number;
  codec: string;
  first: number;
  end: number;
}

export interface VideoTrack extends Track, Measured {
  /** As stored. */
  width: number;
  height: number;
  /** As it is meant to be seen: turned, with square pixels. */
  display: { width: number; height: number };
  rotation: number;
  pixel_format: string;
  transfer: string;
  primaries: string;
  matrix: string;
  interlaced: boolean;
  packets: number;
  /** When the last frame begins. */
  last: number;
}

/** One stream as `ffprobe -show_streams -of json` prints it. */
export interface ProbedStream {
  index: number;
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  pix_fmt?: string;
  color_transfer?: string;
  color_primaries?: string;
  color_space?: string;
  field_order?: string;
  r_frame_rate?: string;
  /** What the container promises. */
  nb_frames?: string;
  disposition?: { attached_pic?: number };
  side_data_list?: { rotation?: number }[];
}

export interface Probed {
  streams?: ProbedStream[];
  format?: { format_name?: string; start_time?: string; duration?: string };
}

/** The times of the packets of one stream, as they came. */
export interface PacketTimes {
  pts: number[];
  /** When the last of them ends, as far as durations are known. */
  end: number;
}

export interface SourceLimits {
  max_seconds: number;
  max_pixels: number;
}

/** The streams that are used: the largest picture that is not a cover, the first sound. @throws not_a_video, video_too_many_pixels */
export function chooseStreams(
  { streams = [], format }: Probed,
  { max_pixels }: Pick<SourceLimits, 'max_pixels'>,
): { video: ProbedStream; audio: ProbedStream | undefined } {
  const pictures = streams.filter(
    ({ codec_type, disposition, codec_name }) =>
      codec_type === 'video' && !disposition?.attached_pic && codec_name !== undefined && codec_name !== 'unknown',
  );
  const area = ({ width = 0, height = 0 }: ProbedStream): number => width * height;
  const [video] = pictures.sort((a, b) => area(b) - area(a) || a.index - b.index);
  const sounds = streams.filter(({ codec_type }) => codec_type === 'audio');
  if (!video || area(video) === 0) {
    const what = sounds.length > 0 ? 'holds sound, but no picture' : 'holds no picture that can be read';
    throw fail('not_a_video', `The file (${format?.format_name?.split(',')[0] ?? 'unknown'}) ${what}.`);
  }
  if (area(video) > max_pixels) {
    throw fail(
      'video_too_many_pixels',
      `The picture has ${video.width} × ${video.height} pixels; ${max_pixels} are the most.`,
    );
  }
  return { video, audio: sounds.find(({ codec_name }) => codec_name !== undefined && codec_name !== 'unknown') };
}

/** Fewer packets than this share of the promised ones: the file was cut off. */
const WHOLE = 0.9;

/** @throws corrupt_file, truncated_file, video_too_long */
export function describeSource(
  probed: Probed,
  chosen: { video: ProbedStream; audio: ProbedStream | undefined },
  packets: Map<number, PacketTimes>,
  limits: SourceLimits,
): Source {
  const times = packets.get(chosen.video.index);
  if (!times || times.pts.length === 0) throw fail('corrupt_file', 'The video holds no frames.');
  const promised = Number(chosen.video.nb_frames) || 0;
  if (times.pts.length < promised * WHOLE) {
    throw fail('truncated_file', `The file ends after ${times.pts.length} of ${promised} frames.`);
  }
  const video = videoTrack(chosen.video, times);
  const sound = chosen.audio && packets.get(chosen.audio.index);
  const audio = chosen.audio && sound && sound.pts.length > 0 ? audioTrack(chosen.audio, sound) : undefined;
  const seconds = video.end - video.first;
  if (seconds > limits.max_seconds) {
    throw fail('video_too_long', `The video lasts ${clock(seconds)}; ${clock(limits.max_seconds)} is the longest.`);
  }
  const lost = probed.streams?.some(({ codec_type }) => codec_type === 'audio') && !audio;
  return {
    container: probed.format?.format_name?.split(',')[0] ?? 'unknown',
    start: Number(probed.format?.start_time ?? Number.NaN) || Math.min(video.first, audio?.first ?? video.first, 0),
    video,
    audio,
    still_seconds: times.pts.length === 1 ? standing(probed, limits) : 0,
    warnings: lost ? ['The sound could not be read: the clips are silent.'] : [],
  };
}

/** Within what is accepted: a header may say anything. */
function standing({ format }: Probed, { max_seconds }: SourceLimits): number {
  const seconds = Number(format?.duration) || 0;
  return seconds > 0 && seconds <= max_seconds ? seconds : 0;
}

function audioTrack({ index, codec_name = '' }: ProbedStream, { pts, end }: PacketTimes): Track {
  return { index, codec: codec_name, first: smallest(pts), end };
}

function videoTrack(stream: ProbedStream, times: PacketTimes): VideoTrack {
  const pts = Float64Array.from(times.pts).sort();
  const first = pts[0] ?? 0;
  const last = pts[pts.length - 1] ?? first;
  const gaps = Float64Array.from(pts.subarray(1), (time, index) => time - (pts[index] ?? 0));
  const usual = median(gaps);
  const rotation = stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation ?? 0;
  const { width = 0, height = 0 } = stream;
  return {
    index: stream.index,
    codec: stream.codec_name ?? '',
    ...{ width, height, rotation, first, last },
    display: displaySize(stream, rotation),
    pixel_format: stream.pix_fmt ?? '',
    transfer: stream.color_transfer ?? '',
    primaries: stream.color_primaries ?? '',
    matrix: stream.color_space ?? '',
    interlaced: ['tt', 'bb', 'tb', 'bt'].includes(stream.field_order ?? ''),
    packets: pts.length,
    end: Math.max(times.end, last + (times.end > last ? 0 : usual)),
    usual,
    average: pts.length > 1 && last > first ? (pts.length - 1) / (last - first) : 0,
    constant: gaps.length > 0 && gaps.filter((gap) => Math.abs(gap - usual) <= ROUNDING).length >= gaps.length * 0.98,
    nominal: parseRate(stream.r_frame_rate),
  };
}

/** Matroska counts in milliseconds, so equal frames are up to one apart. */
const ROUNDING = 0.00105;

function displaySize(stream: ProbedStream, rotation: number): { width: number; height: number } {
  const { width = 1, height = 1 } = stream;
  const [across = 1, down = 1] = (stream.sample_aspect_ratio ?? '1:1').split(':').map(Number);
  const square = across > 0 && down > 0 ? (width * across) / down : width;
  const turned = Math.abs(Math.round(rotation / 90)) % 2 === 1;
  return turned ? { width: height, height: square } : { width: square, height };
}

function median(values: Float64Array): number {
  if (values.length === 0) return 0;
  const sorted = values.slice().sort();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** `Math.min(...)` takes no more than some 100,000 arguments. */
function smallest(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole % 60} s`;
}
