import { type Static, Type } from 'typebox';

/** Every step of the profile; what is left out takes its default (docs/video.md). */
export const VideoOptions = Type.Object(
  {
    mode: Type.Optional(
      Type.Enum(['split', 'trim'], { description: 'All of it as consecutive parts (default), or the beginning only' }),
    ),
    max_seconds: Type.Optional(
      Type.Number({ minimum: 1, maximum: 3600, description: 'Longest content of one clip, logos not counted (20)' }),
    ),
    aspect: Type.Optional(
      Type.String({
        pattern: '^(source|[1-9]\\d{0,3}:[1-9]\\d{0,3})$',
        description: 'Such as 16:9 (default), 9:16, 1:1; or source',
      }),
    ),
    fit: Type.Optional(
      Type.Enum(['pad', 'crop'], { description: 'What does not fit is padded with black (default) or cropped' }),
    ),
    height: Type.Optional(Type.Integer({ minimum: 64, maximum: 2160, description: 'Of the clips, in pixels (720)' })),
    fps: Type.Optional(
      Type.Number({ minimum: 1, maximum: 60, description: 'Frames per second; default: the source’s' }),
    ),
    logo: Type.Optional(
      Type.Object(
        {
          file_id: Type.Optional(Type.String({ description: 'An image of yours; default: the one of Caudal' })),
          seconds: Type.Optional(Type.Number({ minimum: 0, maximum: 10, description: 'How long it stands (1)' })),
          at: Type.Optional(Type.Enum(['both', 'start', 'end', 'none'], { description: 'Where (both)' })),
        },
        { additionalProperties: false },
      ),
    ),
    poster_at: Type.Optional(
      Type.Number({ minimum: 0, maximum: 86_400, description: 'Second of the source that the poster shows (1)' }),
    ),
    audio: Type.Optional(Type.Boolean({ description: 'false: clips without sound (true)' })),
    crf: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 51, description: 'Quality of the H.264 encoder, lower is better' }),
    ),
  },
  { additionalProperties: false },
);
export type VideoOptions = Static<typeof VideoOptions>;

/** A video task works on a URL or on a file that is stored. */
export const VideoInput = Type.Object({
  url: Type.Optional(Type.String()),
  file_id: Type.Optional(Type.String()),
  /** Of that file, for whoever shows the task. */
  filename: Type.Optional(Type.String()),
  options: Type.Optional(VideoOptions),
});
export type VideoInput = Static<typeof VideoInput>;

export interface Clip {
  file_id: string;
  /** `/files/{id}/content`; Range works. */
  url: string;
  /** Of the whole clip in seconds, logos included. */
  duration: number;
  width: number;
  height: number;
  /** What it holds of the source, logos not counted: from which second, how many seconds, how many frames. */
  start: number;
  content_duration: number;
  frames: number;
  bytes: number;
}

/** One step of how the result came to be; the span of the same trace tells more. */
export interface LineageStep {
  step: string;
  span_id: string | null;
  started_at: string;
  ms: number;
  attributes: Record<string, string | number | boolean>;
}

export interface VideoOutput {
  clips: Clip[];
  poster_url: string;
  poster_file_id: string;
  /** Small pictures of the whole video in one image, for a preview; null where there is none. */
  sprite_url: string | null;
  sprite: { file_id: string; columns: number; rows: number; width: number; height: number; seconds: number } | null;
  /** The file that was processed; one from a URL is kept as a file of its own. */
  original: { file_id: string; url: string };
  source: Record<string, string | number | boolean | null>;
  warnings: string[];
  lineage: LineageStep[];
}
