import type { Clip, VideoOptions, VideoOutput } from '../../../../src/contract/video.ts';

/** Seconds of logo before a clip's content. */
export function leadOf(clip: Clip, options: VideoOptions | undefined): number {
  const logos = Math.max(0, clip.duration - clip.content_duration);
  const at = options?.logo?.at ?? 'both';
  if (at === 'both') return logos / 2;
  return at === 'start' ? logos : 0;
}

export interface Place {
  /** Which clip, and where in it, in seconds. */
  clip: number;
  at: number;
}

/** Where in the clips a second of the source is; the last clip's end for what lies beyond. */
export function placeOf(seconds: number, clips: readonly Clip[], options: VideoOptions | undefined): Place {
  const found = clips.findIndex((clip) => seconds < clip.start + clip.content_duration);
  const index = found < 0 ? clips.length - 1 : found;
  const clip = clips[index];
  if (!clip) return { clip: 0, at: 0 };
  const within = Math.min(Math.max(0, seconds - clip.start), clip.content_duration);
  return { clip: index, at: leadOf(clip, options) + within };
}

export interface Still {
  seconds: number;
  /** Its corner in the sprite, in pixels. */
  x: number;
  y: number;
}

/** The pictures of a sprite; its last row may not be full. */
export function stillsOf(sprite: NonNullable<VideoOutput['sprite']>, length: number): Still[] {
  const { columns, rows, width, height, seconds } = sprite;
  const count = Math.min(columns * rows, Math.max(1, Math.ceil(length / seconds - 1e-6)));
  return Array.from({ length: count }, (_, index) => ({
    seconds: index * seconds,
    x: (index % columns) * width,
    y: Math.floor(index / columns) * height,
  }));
}

/** `75` → `1:15`; hours only where there are any. */
export function formatClock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
