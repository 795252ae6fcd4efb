import type { VideoOptions } from '#contract/video.ts';
import { invalid } from '#kernel/errors.ts';

/** What is done to a video: every step with its value. */
export interface Profile {
  mode: 'split' | 'trim';
  max_seconds: number;
  /** Undefined: the shape of the source. */
  aspect: { width: number; height: number } | undefined;
  fit: 'pad' | 'crop';
  height: number;
  /** Undefined: as many as the source has. */
  fps: number | undefined;
  logo: { file_id: string | undefined; start_seconds: number; end_seconds: number };
  poster_at: number;
  audio: boolean;
  crf: number;
}

/** Wider than any level of H.264 that players take. */
const WIDEST = 4096;

/** The profile of a task: what it names, and the defaults for the rest. @throws invalid_input */
export function profileOf(options: VideoOptions, defaults: { crf: number }): Profile {
  const { logo = {}, height = 720 } = options;
  const aspect = aspectOf(options.aspect ?? '16:9');
  if (aspect && (height * aspect.width) / aspect.height > WIDEST) {
    throw invalid('options.aspect', `The clips would be wider than ${WIDEST} pixels.`, 'too_wide');
  }
  const at = logo.at ?? 'both';
  const seconds = logo.seconds ?? 1;
  return {
    mode: options.mode ?? 'split',
    max_seconds: options.max_seconds ?? 20,
    aspect,
    fit: options.fit ?? 'pad',
    height: even(height),
    fps: options.fps,
    logo: {
      file_id: logo.file_id,
      start_seconds: at === 'both' || at === 'start' ? seconds : 0,
      end_seconds: at === 'both' || at === 'end' ? seconds : 0,
    },
    poster_at: options.poster_at ?? 1,
    audio: options.audio ?? true,
    crf: options.crf ?? defaults.crf,
  };
}

function aspectOf(text: string): Profile['aspect'] {
  const [width, height] = text.split(':').map(Number);
  return width && height ? { width, height } : undefined;
}

/** H.264 with 4:2:0 has no odd sizes. */
export function even(length: number): number {
  return Math.max(2, 2 * Math.round(length / 2));
}

export function sizeOf(profile: Pick<Profile, 'aspect' | 'height'>, display: { width: number; height: number }) {
  const { width, height } = profile.aspect ?? display;
  const wide = even((profile.height * width) / height);
  if (wide <= WIDEST) return { width: wide, height: profile.height };
  return { width: WIDEST, height: even((WIDEST * height) / width) };
}
