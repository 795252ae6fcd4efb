import type { VideoOptions } from '../../../src/contract/video.ts';

/** `lost`: the page was loaded anew, so the bytes must be chosen again. */
export type UploadState = 'waiting' | 'uploading' | 'paused' | 'lost' | 'failed';

/** One upload as the page shows it. */
export interface UploadEntry {
  key: string;
  name: string;
  size: number;
  last_modified: number;
  dataset: string;
  /** It is to become clips when it has arrived. */
  video?: { options: VideoOptions };
  sent: number;
  state: UploadState;
  upload_id?: string;
  file_id?: string;
  error?: unknown;
}
