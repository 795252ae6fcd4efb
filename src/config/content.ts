import { bytes, choice, duration, integer, type Setting, text } from '#kernel/setting.ts';

const HOUR = 3_600_000;
const MB = 1_000_000;

/** What comes in: files, forms, videos, events. */
export const CONTENT = {
  // Uploads
  uploadMaxBytes: bytes('CAUDAL_UPLOAD_MAX_BYTES', '100GB', { min: 1 }, 'The largest file accepted.'),
  uploadRetention: duration(
    'CAUDAL_UPLOAD_RETENTION',
    '24h',
    { min: 60_000 },
    'Uploads that nobody finishes are swept after this.',
  ),
  signedUrlLifetime: duration(
    'CAUDAL_SIGNED_URL_LIFETIME',
    '1h',
    { min: 1000, max: 168 * HOUR },
    'How long a signed URL is valid.',
  ),
  diskFloor: bytes(
    'CAUDAL_DISK_FLOOR',
    '500MB',
    { min: 0 },
    'Free disk space below which nothing new is accepted (507).',
  ),
  // Forms and photos
  photoMaxBytes: bytes(
    'CAUDAL_PHOTO_MAX_BYTES',
    '20MB',
    { min: 10_000, max: 200 * MB },
    'The largest photo accepted; a column may say less (max_bytes).',
  ),
  photoSlots: integer(
    'CAUDAL_PHOTO_SLOTS',
    '2',
    { min: 1, max: 64 },
    'Photos that one api process decodes at a time; each takes about 150 MB, at most 750.',
  ),
  formLimit: integer('CAUDAL_FORM_LIMIT', '1000', { min: 1 }, 'Public forms that one address may send in ten minutes.'),
  // Reading files
  readerMemory: bytes('CAUDAL_READER_MEMORY', '1500MB', { min: 128 * MB }, 'Memory of one file-reading child process.'),
  readerThreads: integer(
    'CAUDAL_READER_THREADS',
    '0',
    { min: 0, max: 256 },
    'Threads of one file-reading child; 0: as many as there are cores.',
  ),
  readerTimeout: duration('CAUDAL_READER_TIMEOUT', '2h', { min: 1000 }, 'How long reading one file may take.'),
  maxUnpackedBytes: bytes('CAUDAL_MAX_UNPACKED_BYTES', '100GB', { min: MB }, 'What a compressed file may expand to.'),
  maxRatio: integer(
    'CAUDAL_MAX_RATIO',
    '200',
    { min: 2, max: 1_000_000 },
    'How many times its packed size a compressed file may expand to.',
  ),
  maxColumns: integer('CAUDAL_MAX_COLUMNS', '4096', { min: 1, max: 100_000 }, 'Columns that one table may have.'),
  maxValueBytes: bytes('CAUDAL_MAX_VALUE_BYTES', '16MiB', { min: 1024, max: 1e9 }, 'The largest single value.'),
  // Videos
  ffmpeg: text('CAUDAL_FFMPEG', '', 'The ffmpeg to use, with ffprobe beside it; empty: the one that PATH finds.'),
  videoSlots: integer('CAUDAL_VIDEO_SLOTS', '1', { min: 0, max: 64 }, 'Videos that one worker processes at a time.'),
  videoThreads: integer(
    'CAUDAL_VIDEO_THREADS',
    '0',
    { min: 0, max: 256 },
    'Threads of one ffmpeg; 0: as many as there are cores.',
  ),
  videoMemory: bytes('CAUDAL_VIDEO_MEMORY', '2GB', { min: 256 * MB }, 'Memory of one ffmpeg.'),
  videoTimeout: duration('CAUDAL_VIDEO_TIMEOUT', '2h', { min: 1000 }, 'How long processing one video may take.'),
  videoMaxBytes: bytes('CAUDAL_VIDEO_MAX_BYTES', '4GB', { min: 1 }, 'The largest video accepted.'),
  videoMaxSeconds: duration(
    'CAUDAL_VIDEO_MAX_SECONDS',
    '1h',
    { min: 1000, max: 24 * HOUR },
    'The longest video accepted.',
  ),
  videoMaxPixels: integer(
    'CAUDAL_VIDEO_MAX_PIXELS',
    '40000000',
    { min: 1024 },
    'Pixels that one picture of a video may have.',
  ),
  videoCrf: integer(
    'CAUDAL_VIDEO_CRF',
    '23',
    { min: 0, max: 51 },
    'Quality of clips where a task names none: lower is better and larger.',
  ),
  videoPreset: choice(
    'CAUDAL_VIDEO_PRESET',
    'veryfast',
    ['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow'],
    'How much time the encoder takes to make clips smaller.',
  ),
  // Events
  eventMaxBytes: bytes(
    'CAUDAL_EVENT_MAX_BYTES',
    '10MB',
    { min: 1024, max: 64 * MB },
    'The largest body of published events or direct rows, packed or unpacked.',
  ),
  eventRetention: duration(
    'CAUDAL_EVENT_RETENTION',
    '30d',
    { min: HOUR },
    'How long events can be replayed; the rows that they became stay.',
  ),
} satisfies Record<string, Setting<unknown>>;
