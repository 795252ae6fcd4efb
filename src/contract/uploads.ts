import { type Static, Type } from 'typebox';
import { DATASET_NAME } from './datasets.ts';
import { File } from './files.ts';
import { ReaderOptions } from './reader-options.ts';
import { Task } from './tasks.ts';

export const UPLOAD_STATES = ['open', 'completing', 'completed', 'aborted'] as const;
export type UploadState = (typeof UPLOAD_STATES)[number];

export const NewUpload = Type.Object(
  {
    filename: Type.String({
      minLength: 1,
      maxLength: 10_000,
      description: 'Kept as given; never used as a path',
    }),
    size: Type.Integer({ minimum: 0, description: 'Bytes' }),
    content_type: Type.Optional(Type.String({ maxLength: 255, pattern: '^[ -~]*$' })),
    sha256: Type.Optional(
      Type.String({ pattern: '^[0-9a-fA-F]{64}$', description: 'Checked when the upload completes' }),
    ),
    dataset: Type.Optional(
      Type.String({
        pattern: DATASET_NAME,
        description: 'Where its rows go; by default a dataset named after the file',
      }),
    ),
    load: Type.Optional(ReaderOptions),
  },
  { additionalProperties: false },
);
export type NewUpload = Static<typeof NewUpload>;

export const PartUrl = Type.Object({ part_number: Type.Integer(), url: Type.String() });
export type PartUrl = Static<typeof PartUrl>;

export const StartedUpload = Type.Object({
  upload_id: Type.String(),
  file_id: Type.String(),
  part_size: Type.Integer(),
  part_count: Type.Integer(),
  urls: Type.Array(PartUrl, { description: 'The first parts; POST …/urls gives the others' }),
  urls_expire_at: Type.String(),
  expires_at: Type.String({ description: 'When the upload is swept if no part arrives any more' }),
});
export type StartedUpload = Static<typeof StartedUpload>;

export const ArrivedPart = Type.Object({ part_number: Type.Integer(), size: Type.Integer(), etag: Type.String() });

export const UploadStatus = Type.Object({
  upload_id: Type.String(),
  file_id: Type.String(),
  state: Type.Enum(UPLOAD_STATES),
  filename: Type.String(),
  size: Type.Integer(),
  part_size: Type.Integer(),
  part_count: Type.Integer(),
  parts: Type.Array(ArrivedPart, { description: 'What has arrived, whole, in order' }),
  expires_at: Type.String(),
});
export type UploadStatus = Static<typeof UploadStatus>;

export const PartNumbers = Type.Object(
  { part_numbers: Type.Array(Type.Integer({ minimum: 1, maximum: 10_000 }), { minItems: 1, maxItems: 1000 }) },
  { additionalProperties: false },
);

export const PartUrls = Type.Object({ urls: Type.Array(PartUrl), urls_expire_at: Type.String() });
export type PartUrls = Static<typeof PartUrls>;

export const PartTags = Type.Object({
  parts: Type.Array(Type.Object({ part_number: Type.Integer(), etag: Type.String({ maxLength: 100 }) }), {
    maxItems: 10_000,
  }),
});
export type PartTags = Static<typeof PartTags>;

export const CompletedUpload = Type.Object({ file: File, task: Type.Optional(Task) });
export type CompletedUpload = Static<typeof CompletedUpload>;
