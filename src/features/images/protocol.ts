import type { ImageType } from '#contract/images.ts';
import type { StoredError } from '#kernel/errors.ts';

export interface ImageLimits {
  /** Width × height as the header says; more is refused before anything is decoded. */
  max_pixels: number;
  /** The longer side of what is kept; larger pictures are made smaller. */
  max_side: number;
}

/** What the image child gets: two paths and limits. No database, no network, no names. */
export interface EncodeRequest extends ImageLimits {
  in_path: string;
  out_path: string;
  accept: readonly ImageType[];
}

export interface EncodedImage {
  content_type: ImageType;
  width: number;
  height: number;
  bytes: number;
}

export type EncodeMessage = { type: 'done'; image: EncodedImage } | { type: 'failed'; error: StoredError };
