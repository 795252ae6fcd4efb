/**
 * The one family of errors. A code is stable and documented; its status and title live in
 * one table, so that a body can never contradict its HTTP status.
 */
export const ERRORS = {
  // Request
  bad_request: [400, 'Malformed request'],
  invalid_json: [400, 'The body is not valid JSON'],
  invalid_input: [422, 'The request is well-formed but not acceptable'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  not_acceptable: [406, 'Not acceptable'],
  unsupported_media_type: [415, 'Unsupported media type'],
  payload_too_large: [413, 'Payload too large'],
  headers_too_large: [431, 'Request headers too large'],
  request_timeout: [408, 'Request timed out'],
  range_not_satisfiable: [416, 'Range not satisfiable'],
  precondition_failed: [412, 'Precondition failed'],
  rate_limited: [429, 'Too many requests'],
  idempotency_key_reused: [422, 'Idempotency-Key was used with another body'],
  idempotency_in_flight: [409, 'The first request with this Idempotency-Key is still running'],
  not_ready: [503, 'Not ready'],
  storage_full: [507, 'Not enough disk space'],
  internal: [500, 'Internal error'],
  // Identity
  unauthenticated: [401, 'Authentication required'],
  invalid_credentials: [401, 'E-mail or password is wrong'],
  invalid_token: [401, 'The token is not valid'],
  forbidden: [403, 'Not allowed'],
  csrf: [403, 'The request did not come from the console'],
  weak_password: [422, 'Password too weak'],
  already_taken: [409, 'Already taken'],
  last_owner: [409, 'A workspace needs an owner'],
  secret_already_shown: [409, 'The secret was already shown once'],
  invitation_invalid: [410, 'The invitation is no longer valid'],
  invitation_not_found: [404, 'Invitation not found'],
  link_invalid: [410, 'The link is no longer valid'],
  mail_unavailable: [503, 'No mail can be sent'],
  token_not_found: [404, 'Token not found'],
  workspace_not_found: [404, 'Workspace not found'],
  member_not_found: [404, 'Member not found'],
  // Uploads and files
  upload_not_found: [404, 'Upload not found'],
  upload_closed: [409, 'The upload has ended'],
  upload_incomplete: [409, 'Parts are missing or do not match'],
  upload_too_large: [413, 'The file is larger than allowed'],
  checksum_mismatch: [422, 'The checksum does not match'],
  signature_invalid: [403, 'The signed URL is not valid'],
  signature_expired: [403, 'The signed URL has expired'],
  length_mismatch: [400, 'Content-Length differs from the signed length'],
  part_in_flight: [409, 'Another request is writing this part'],
  file_not_found: [404, 'File not found'],
  file_not_stored: [409, 'The file has not arrived yet'],
  file_busy: [409, 'The file is being loaded'],
  object_not_found: [404, 'Object not found'],
  // Loading
  empty_file: [422, 'The file is empty'],
  unsupported_format: [422, 'The kind of file is not supported'],
  legacy_xls: [422, 'Legacy .xls workbooks are not supported'],
  encrypted_file: [422, 'The file is protected by a password'],
  corrupt_file: [422, 'The file is damaged'],
  truncated_file: [422, 'The file ends too early'],
  undecodable_text: [422, 'The text encoding could not be recognised'],
  malformed_json: [422, 'The file is not valid JSON'],
  json_too_deep: [422, 'The JSON is nested too deeply'],
  malformed_xml: [422, 'The workbook holds malformed XML'],
  decompression_bomb: [422, 'The archive expands beyond its limits'],
  too_many_columns: [422, 'Too many columns'],
  value_too_large: [422, 'A single value is too large'],
  no_table: [422, 'No table was found in the file'],
  reader_crashed: [422, 'Reading the file crashed its reader'],
  reader_timeout: [422, 'Reading the file took too long'],
  reader_memory: [422, 'Reading the file needed too much memory'],
  schema_mismatch: [422, 'The file does not fit the dataset'],
  accounting_imbalance: [500, 'The row accounting does not balance'],
  url_refused: [422, 'The URL is not allowed'],
  download_failed: [422, 'The download failed'],
  // Video
  not_a_video: [422, 'The file is not a video'],
  playlist_refused: [422, 'Playlists are not processed'],
  video_too_long: [422, 'The video is too long'],
  video_too_large: [422, 'The video file is too large'],
  video_too_many_pixels: [422, 'The picture is too large'],
  logo_refused: [422, 'The logo cannot be used'],
  video_crashed: [422, 'Processing the video crashed'],
  video_timeout: [422, 'Processing the video took too long'],
  no_video_engine: [422, 'There is no video engine'],
  // Datasets and queries
  dataset_not_found: [404, 'Dataset not found'],
  dataset_exists: [409, 'A dataset of that name exists'],
  dataset_busy: [409, 'The dataset changed meanwhile'],
  column_not_found: [422, 'No such column'],
  duplicate_key: [409, 'A row with this key exists'],
  version_not_found: [404, 'No such version'],
  version_gone: [410, 'The version is no longer kept'],
  bad_cursor: [400, 'The cursor is not valid'],
  source_not_found: [404, 'Source not found'],
  quarantine_not_found: [404, 'Nothing in quarantine matches'],
  sql_syntax: [422, 'The query could not be parsed'],
  sql_error: [422, 'The query failed'],
  sql_refused: [422, 'The query is not allowed'],
  sql_too_greedy: [422, 'The query needs more than it may use'],
  sql_timeout: [408, 'The query took too long'],
  sql_busy: [503, 'All query slots are busy'],
  // Forms and photos
  unsupported_image: [422, 'The kind of image is not accepted'],
  image_too_large: [413, 'The image is too large'],
  image_damaged: [422, 'The image is damaged'],
  image_busy: [503, 'Too many images are being read'],
  form_not_found: [404, 'Form not found'],
  form_slug_taken: [409, 'A form has this address already'],
  form_expired: [403, 'The form is too old or was not ours'],
  form_trap: [403, 'The form was filled in by a program'],
  // Events
  topic_not_found: [404, 'Topic not found'],
  subscription_not_found: [404, 'Subscription not found'],
  subscription_exists: [409, 'The topic goes there already'],
  events_gone: [410, 'The events are no longer kept'],
  // Endpoints
  endpoint_not_found: [404, 'Endpoint not found'],
  endpoint_name_taken: [409, 'The name of a public endpoint is taken'],
  endpoint_broken: [409, 'The query of the endpoint does not work'],
  // Tasks
  task_not_found: [404, 'Task not found'],
  task_ended: [409, 'The task has ended'],
  task_not_retryable: [409, 'The task cannot be retried'],
  task_cancelled: [409, 'The task was cancelled'],
  task_quota_exceeded: [429, 'Too many tasks are waiting'],
  // Telemetry
  trace_not_found: [404, 'Trace not found'],
  service_not_found: [404, 'Service not found'],
  otlp_malformed: [400, 'The OTLP message could not be decoded'],
  telemetry_full: [503, 'The telemetry store is full'],
  // Alerts
  policy_not_found: [404, 'Policy not found'],
  policy_builtin: [409, 'Built-in policies stay'],
  incident_not_found: [404, 'Incident not found'],
  incident_closed: [409, 'The incident cannot change so'],
  channel_not_found: [404, 'Channel not found'],
  silence_not_found: [404, 'Silence not found'],
  slo_not_found: [404, 'Service level not found'],
  uptime_check_not_found: [404, 'Uptime check not found'],
  dashboard_not_found: [404, 'Dashboard not found'],
  too_many_checks: [422, 'Too many uptime checks'],
  metric_query_invalid: [422, 'The metric query cannot be answered'],
  metrics_too_many: [422, 'More series or samples fit than can be answered'],
  // Backup
  backup_target_not_empty: [409, 'The directory for the backup is not empty'],
  backup_damaged: [422, 'The backup is damaged'],
  backup_too_new: [409, 'The backup was made by a newer Caudal'],
  restore_target_not_empty: [409, 'The installation to restore into is not empty'],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof ERRORS;

/** One invalid field: `field` is a dotted path into the input. */
export interface FieldError {
  field: string;
  code: string;
  message: string;
}

export interface ErrorExtras {
  hint?: string;
  errors?: FieldError[];
  /** Seconds until a retry makes sense; becomes `Retry-After`. */
  retry_after?: number;
  /** Further members of the problem document (e.g. `position` of a SQL error). */
  members?: Record<string, unknown>;
  cause?: unknown;
}

export class CaudalError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly hint: string | undefined;
  readonly errors: FieldError[] | undefined;
  readonly retry_after: number | undefined;
  readonly members: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, detail: string, extras: ErrorExtras = {}) {
    super(detail, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = 'CaudalError';
    this.code = code;
    const [status, title] = ERRORS[code];
    this.status = status;
    this.title = title;
    this.hint = extras.hint;
    this.errors = extras.errors;
    this.retry_after = extras.retry_after;
    this.members = extras.members;
  }
}

/** Shorthand: `throw fail('dataset_not_found', 'No dataset named "x".')`. */
export function fail(code: ErrorCode, detail: string, extras?: ErrorExtras): CaudalError {
  return new CaudalError(code, detail, extras);
}

/** An `invalid_input` error about one field. */
export function invalid(field: string, message: string, code = 'invalid', hint?: string): CaudalError {
  return new CaudalError('invalid_input', message, {
    errors: [{ field, code, message }],
    ...(hint === undefined ? {} : { hint }),
  });
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}

/** What a stored error looks like (files.error, tasks.error): enough for a person to act on. */
export interface StoredError {
  code: string;
  message: string;
  hint?: string;
}

export function toStoredError(error: unknown): StoredError {
  if (error instanceof CaudalError) {
    return { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) };
  }
  return { code: 'internal', message: 'Something went wrong inside Caudal; the log holds the cause.' };
}
