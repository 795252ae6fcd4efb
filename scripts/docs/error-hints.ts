import type { ErrorCode } from '#kernel/errors.ts';

const REQUEST = {
  bad_request: 'Read `detail`: the request line, a header or the body is not what HTTP allows.',
  invalid_json: 'Send JSON in UTF-8, or no body at all.',
  invalid_input: '`errors` names each field and what it must be; `/docs` of the instance shows the schema.',
  not_found: 'Check the address. What the caller may not see is answered so too.',
  method_not_allowed: 'Reserved; a wrong method is answered as `not_found`.',
  not_acceptable: 'Ask for a format that `hint` lists, by `Accept` or by a suffix such as `.csv`.',
  unsupported_media_type: 'Set `Content-Type` to what the call takes, mostly `application/json`.',
  payload_too_large: 'Bodies of JSON calls end at 1 MiB. Files go through `POST /uploads`.',
  headers_too_large: 'Send less than 16 KiB of headers; large cookies are the usual cause.',
  request_timeout: 'Send the request faster, or look at the network between.',
  range_not_satisfiable: 'Ask for a range within the size that `Content-Range` says.',
  precondition_failed: 'Reserved.',
  rate_limited: 'Wait `Retry-After` seconds. `RateLimit` shows what is left; the limits are settings (operate.md).',
  idempotency_key_reused: 'Make a new key for each new request; repeat one only with the very same body.',
  idempotency_in_flight: 'Wait a second and repeat: the answer of the first will come back.',
  not_ready:
    'Wait `Retry-After` seconds. If it lasts, the database is away or the process is stopping: `caudal status`.',
  storage_full: 'Free disk space, or give the data directory a larger disk. Nothing was lost.',
  internal: 'A fault of Caudal: `caudal trace <trace_id> --logs` shows it; please report it.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const IDENTITY = {
  unauthenticated: 'Send `Authorization: Bearer <token>`, or sign in.',
  invalid_credentials: 'Check both. After five failures in 15 minutes the account is slowed down (`rate_limited`).',
  invalid_token: 'It is malformed, expired, revoked or signed out. Sign in again, or make a new token.',
  forbidden: '`detail` names the scope or role that is missing.',
  csrf: 'A cookie only works from pages of this Caudal. Programs use a token.',
  weak_password: 'At least 8 characters, with upper and lower case and a digit.',
  already_taken: '`errors` names the field; choose another value, or sign in.',
  last_owner: 'Make somebody else an owner first.',
  secret_already_shown: 'A secret is shown once. If it was lost, delete that token and make another.',
  invitation_invalid: 'It was used, withdrawn or has expired; ask for a new one.',
  invitation_not_found: 'List the open ones: `GET /workspaces/{id}/invitations`.',
  link_invalid: 'It worked once already, or has expired; ask for a new one.',
  mail_unavailable: 'This installation cannot send mail; an operator can help (operate.md, "A password is forgotten").',
  token_not_found: 'List them: `GET /tokens`.',
  workspace_not_found: 'List yours: `GET /workspaces`.',
  member_not_found: 'List them: `GET /workspaces/{id}/members`.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const UPLOADS = {
  upload_not_found: 'It was swept (24 h after its last part), or belongs to another workspace. Begin again.',
  upload_closed: 'It has completed or was aborted. For a new file begin a new upload.',
  upload_incomplete:
    '`errors` names the parts; send those again, then complete again. `GET /uploads/{id}` lists what is there.',
  upload_too_large: 'Split the file, or raise `CAUDAL_UPLOAD_MAX_BYTES`.',
  checksum_mismatch: 'The file changed on the way or while it was read: upload it again.',
  signature_invalid: 'Use the signed URL exactly as given, with the same method.',
  signature_expired: 'Ask for a new URL: `POST /uploads/{id}/urls`, or `GET /files/{id}/content`.',
  length_mismatch: 'Send exactly the bytes of this part: `part_size`, the last one what is left.',
  part_in_flight: 'Another request writes this part; wait `Retry-After` seconds and send it again.',
  file_not_found: 'It was deleted, or belongs to another workspace.',
  file_not_stored: 'Complete its upload first.',
  file_busy: 'Wait for the task that `hint` names, or cancel it.',
  object_not_found: 'The bytes are gone or never came. For a file that is listed: restore it from a backup.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const LOADING = {
  empty_file: 'There are no bytes, also none once unpacked. Look at what wrote it.',
  unsupported_format: '`detail` says what it is. Export the table as CSV, JSON, Parquet or XLSX.',
  legacy_xls: 'Open it in Excel or LibreOffice and save it as .xlsx or .csv.',
  encrypted_file: 'Remove the password and upload it again.',
  corrupt_file: 'Test it with the program that made it, and get it again from where it came.',
  truncated_file: 'A transfer before was probably cut off; get the file again.',
  undecodable_text: 'Say which encoding it is (`encoding`), or export it as UTF-8.',
  malformed_json: '`detail` says where. If each line is a value of its own, name the file .ndjson or say `format`.',
  json_too_deep: 'Levels end at 1,000; flatten the document.',
  malformed_xml: 'Open the workbook in Excel or LibreOffice, let it be repaired, and save it anew.',
  decompression_bomb:
    'If the file is honest, unpack it yourself, or raise `CAUDAL_MAX_RATIO` or `CAUDAL_MAX_UNPACKED_BYTES`.',
  too_many_columns: 'Turn the table around, or split it; or raise `CAUDAL_MAX_COLUMNS`.',
  value_too_large: 'Split the record; or raise `CAUDAL_MAX_VALUE_BYTES`.',
  no_table: '`hint` lists the sheets or entries that there are.',
  reader_crashed:
    'The file is probably damaged: check that it opens elsewhere; if it does, please report it. Nothing of it was stored.',
  reader_timeout: 'Split the file, or raise `CAUDAL_READER_TIMEOUT`.',
  reader_memory: 'Split the file, or raise `CAUDAL_READER_MEMORY`.',
  schema_mismatch: '`errors` names the columns: rename them in the file, or change the dataset.',
  accounting_imbalance: 'A fault of Caudal: nothing was stored. Please report it with the file.',
  url_refused:
    'Only http(s) on ports 80 and 443 of public addresses; an operator may allow ranges (`CAUDAL_FETCH_ALLOW_PRIVATE`).',
  download_failed: '`detail` says what the other side answered. Try the URL in a browser without signing in.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const VIDEO = {
  not_a_video: '`detail` says what it is. MP4, MOV, MKV, WebM, AVI, MPEG-TS, FLV and 3GP with a picture are processed.',
  playlist_refused: 'A playlist only names other files: give the URL of the video itself.',
  video_too_long: 'Cut it before, use `mode: trim`, or raise `CAUDAL_VIDEO_MAX_SECONDS`.',
  video_too_large: 'Compress it before, or raise `CAUDAL_VIDEO_MAX_BYTES`.',
  video_too_many_pixels: 'Scale it down before, or raise `CAUDAL_VIDEO_MAX_PIXELS`.',
  logo_refused: 'Use a PNG, JPEG or WebP image of at most 40 megapixels.',
  video_crashed:
    'The file is probably damaged: check that it plays elsewhere; if it does, please report it. Nothing was kept.',
  video_timeout: 'Cut the video, or raise `CAUDAL_VIDEO_TIMEOUT`.',
  no_video_engine:
    'Install ffmpeg 4.4 or later with libx264 where the workers run; `caudal check-config` shows what is found.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const QUERIES = {
  dataset_not_found: 'List them: `caudal datasets`. The token may see only some.',
  dataset_exists: 'Use it, or choose another name.',
  dataset_busy: 'Another change came first; try again. Tasks do so by themselves.',
  column_not_found: '`hint` lists the columns; names are compared as they are written.',
  duplicate_key: 'Reserved for datasets with a key.',
  version_not_found: 'List them: `GET /datasets/{name}/versions`.',
  version_gone:
    'Earlier versions are kept for `CAUDAL_VERSION_RETENTION`, and none that holds deleted rows. Read the newest.',
  bad_cursor: 'Use `next_cursor` as it came, with the same question; or begin again without one.',
  source_not_found: 'Reserved.',
  quarantine_not_found: 'They were replayed already, or belong to another dataset.',
  sql_syntax: '`position` says where.',
  sql_error: '`detail` is what the engine said; `position` says where, if it is known.',
  sql_refused: 'One read-only SELECT over datasets; no files, settings or functions that reach outside.',
  sql_too_greedy: 'Filter or aggregate earlier; or raise `CAUDAL_SQL_MEMORY`.',
  sql_timeout: 'Ask for less; or raise `CAUDAL_SQL_TIMEOUT`.',
  sql_busy: 'Wait `Retry-After` seconds; or raise `CAUDAL_SQL_SLOTS`, or start more api processes.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const FORMS = {
  unsupported_image: 'Send JPEG, PNG, WebP or AVIF; `detail` says what it is instead.',
  image_too_large: "Make it smaller; `detail` says the limit, which is the column's `max_bytes` or 50 million pixels.",
  image_damaged: 'Check that it opens in another program, or take the photo again.',
  image_busy: 'Wait `Retry-After` seconds and send it again.',
  form_not_found: 'The dataset has no form, or it is not public and the caller is not signed in to its workspace.',
  form_slug_taken: 'Choose another `form.slug`: it is unique in the installation.',
  form_expired:
    'Open the form again: its token lasts 12 hours and belongs to one browser. Programs send JSON, or a token.',
  form_trap: 'Leave the field `:website` empty: it is there to recognise programs.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const EVENTS = {
  topic_not_found: 'List them: `caudal topics`. A topic comes into being when the first event is published.',
  subscription_not_found: '`GET /topics/{topic}/subscriptions` lists them.',
  subscription_exists: 'A topic goes into a dataset once. To read earlier events again, replay the subscription.',
  events_gone: 'Replay from a later time: `detail` says since when events are kept (`CAUDAL_EVENT_RETENTION`).',
} as const satisfies Partial<Record<ErrorCode, string>>;

const ENDPOINTS = {
  endpoint_not_found: 'Look the name up with `GET /endpoints`.',
  endpoint_name_taken: 'Choose another name, or leave the endpoint private.',
  endpoint_broken: 'Publish its query again once its datasets are as it expects; `POST /sql` says what is wrong.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const TASKS = {
  task_not_found: 'List them: `caudal tasks`.',
  task_ended: 'There is nothing left to cancel.',
  task_not_retryable: 'Only failed and cancelled tasks can be retried.',
  task_quota_exceeded: 'Wait `Retry-After` seconds, cancel some, or raise `CAUDAL_TASKS_QUEUED`.',
  task_cancelled: 'Somebody cancelled it; retry it if that was a mistake.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const TELEMETRY = {
  trace_not_found: 'It has aged out, is not written yet (a second or two), or belongs to another workspace.',
  service_not_found: 'Ask for a longer time, or see `GET /telemetry/services`.',
  otlp_malformed:
    'Send a whole OTLP message with the `Content-Type` of its encoding, and gzip only with `Content-Encoding`.',
  metric_query_invalid: 'Write a part of PromQL, such as `sum by (service) (rate(caudal_load_rows_total[5m]))`.',
  metrics_too_many: 'Name the metric, add labels, or ask for a shorter time.',
  telemetry_full:
    'Senders keep it and try again after `Retry-After`; business data is not affected. Look at `caudal logs telemetry`.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const ALERTS = {
  policy_not_found: '`GET /policies` lists them; the installation’s are shown to its operator only.',
  policy_builtin: 'Switch it off or change it with PATCH.',
  incident_not_found: '`GET /incidents` lists them.',
  incident_closed: 'It is acknowledged or resolved already; `GET /incidents/{id}` shows by whom and when.',
  channel_not_found: '`GET /channels` lists them.',
  silence_not_found: '`GET /silences` lists them.',
  slo_not_found: '`GET /slos` lists them.',
  uptime_check_not_found: '`GET /uptime-checks` lists them.',
  dashboard_not_found: '`GET /dashboards` lists them; panels are counted from 0.',
  too_many_checks: 'Remove some, or check less from here.',
} as const satisfies Partial<Record<ErrorCode, string>>;

const BACKUP = {
  backup_target_not_empty: 'Name a new or an empty directory.',
  backup_damaged: 'It did not finish, or was changed since: use another one.',
  backup_too_new: 'Restore it with the version that made it, or a later one.',
  restore_target_not_empty: 'Restore into a new data directory (and database), before its first start.',
} as const satisfies Partial<Record<ErrorCode, string>>;

/** What a person does about each error, by the room in which it arises. */
export const ERROR_HINTS = {
  'Any request': REQUEST,
  'Accounts and tokens': IDENTITY,
  'Uploads and files': UPLOADS,
  'Loading a file': LOADING,
  Videos: VIDEO,
  'Datasets and queries': QUERIES,
  'Forms and photos': FORMS,
  Endpoints: ENDPOINTS,
  Events: EVENTS,
  Tasks: TASKS,
  Telemetry: TELEMETRY,
  'Policies and incidents': ALERTS,
  Backup: BACKUP,
} as const;
export type ErrorRoom = keyof typeof ERROR_HINTS;
