import { fail } from '#kernel/errors.ts';
import { type Profile, sizeOf } from './profile.ts';
import { clipRate, perSecond, type Rate, rateOf } from './rate.ts';
import type { Source } from './source.ts';

/** One clip: which frames of the content it holds; `end` is not part of it. */
export interface Part {
  start: number;
  end: number;
}

/** Everything that is decided before a frame is decoded. Lengths are counted in frames of `rate`. */
export interface Plan {
  rate: Rate;
  width: number;
  height: number;
  /** The whole content. */
  frames: number;
  /** How many of them hold the first or the last picture, because the sound goes on for long. */
  lead_frames: number;
  tail_frames: number;
  parts: Part[];
  logo: { start: number; end: number };
  /** A frame of the content. */
  poster: number;
  crf: number;
  fit: Profile['fit'];
  /** Seconds between the first moment of the file and that of the content. */
  lead_seconds: number;
  sound: 'source' | 'silence' | 'none';
}

/** More outputs than this in one run of the engine take too many open files. */
const MOST_PARTS = 200;
/** Sound that begins earlier or ends later than the picture by more than this is kept by a standing picture. */
const OVERHANG_SECONDS = 0.5;

/** @throws video_too_long when it would become too many clips */
export function planClips(source: Source, profile: Profile): Plan {
  const rate = profile.fps === undefined ? clipRate(source.video) : rateOf(profile.fps);
  const { lead, tail } = overhang(source, profile);
  const at = (seconds: number): number => Math.round(seconds * perSecond(rate));
  const { first, last, end } = source.video;
  const picture = Math.max(at(end - first), at(last - first) + 1);
  const whole = at(lead) + picture + at(tail);
  const longest = Math.max(1, Math.floor(profile.max_seconds * perSecond(rate) + 1e-6));
  const frames = profile.mode === 'trim' ? Math.min(whole, longest) : whole;
  const parts = partsOf(frames, longest);
  if (parts.length > MOST_PARTS) {
    throw fail('video_too_long', `The video would become ${parts.length} clips; ${MOST_PARTS} are the most.`, {
      hint: 'Choose a larger max_seconds.',
    });
  }
  const logo = { start: at(profile.logo.start_seconds), end: at(profile.logo.end_seconds) };
  return {
    rate,
    ...sizeOf(profile, source.video.display),
    ...{ frames, lead_frames: at(lead), tail_frames: at(tail), parts, logo },
    poster: at(profile.poster_at) < frames ? at(profile.poster_at) : Math.floor(frames / 2),
    crf: profile.crf,
    fit: profile.fit,
    lead_seconds: first - source.start - lead,
    sound: !profile.audio ? 'none' : source.audio ? 'source' : 'silence',
  };
}

/** Consecutive, none longer than `longest`, together everything: no frame is lost and none comes twice. */
export function partsOf(frames: number, longest: number): Part[] {
  const count = Math.max(1, Math.ceil(frames / longest));
  return Array.from({ length: count }, (_, index) => ({
    start: index * longest,
    end: Math.min(frames, (index + 1) * longest),
  }));
}

function overhang({ video, audio, still_seconds }: Source, profile: Profile): { lead: number; tail: number } {
  const beyond = (seconds: number): number => (seconds > OVERHANG_SECONDS ? seconds : 0);
  const still = still_seconds - (video.end - video.first);
  if (!audio || !profile.audio) return { lead: 0, tail: beyond(still) };
  return { lead: beyond(video.first - audio.first), tail: beyond(Math.max(still, audio.end - video.end)) };
}

/** Frames of the clip that holds `part`, logos included. */
export function clipFrames({ logo }: Plan, part: Part): number {
  return logo.start + (part.end - part.start) + logo.end;
}

/** Frames of all clips. */
export function allFrames(plan: Plan): number {
  return plan.parts.reduce((sum, part) => sum + clipFrames(plan, part), 0);
}

/**
 * The plan as it turned out: a damaged source gives fewer frames than its packets promise, so the last
 * parts are shorter or empty. @returns the parts that hold something
 */
export function partsMade({ parts }: Plan, frames: number): Part[] {
  return parts.map(({ start, end }) => ({ start, end: Math.min(end, frames) })).filter(({ start, end }) => end > start);
}
