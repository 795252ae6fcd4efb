import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { TraceCall } from '#contract/upload-calls.ts';
import { startUpload } from '#contract/upload-client.ts';
import type { CompletedUpload } from '#contract/uploads.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { formatDuration } from '#kernel/duration.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { type Client, Refused } from './client.ts';
import { UsageError } from './command.ts';
import { startProgress, transferred } from './progress.ts';
import { type Terminal, visible } from './terminal.ts';

export interface UploadFile {
  path: string;
  client: Client;
  terminal: Terminal;
  signal: AbortSignal;
  dataset?: string;
  load?: Record<string, unknown>;
  /** Id of an earlier upload of this file. */
  resume?: string;
}

/**
 * Uploads one file in parallel parts through signed URLs, with a progress bar. An interrupted
 * upload stays open: what arrived need not be sent again.
 */
export async function uploadFile(options: UploadFile): Promise<CompletedUpload> {
  const { path, client, terminal, signal } = options;
  const size = await sizeOf(path);
  const filename = basename(path);
  const label = visible(filename);
  const progress = startProgress(terminal, label);
  const began = performance.now();
  let id = options.resume;
  const upload = startUpload({
    base_url: `${client.url}/`,
    fetch: authorized(client),
    source: await openAsBlob(path),
    filename,
    signal,
    trace,
    ...(options.dataset ? { dataset: options.dataset } : {}),
    ...(options.load && Object.keys(options.load).length > 0 ? { load: options.load } : {}),
    ...(options.resume ? { resume: options.resume } : {}),
    onStarted: (started) => {
      id = started.upload_id;
    },
    onProgress: ({ sent }) => progress.update(sent, size, transferred(sent, size, performance.now() - began)),
  });
  try {
    const done = await upload.done;
    const ms = performance.now() - began;
    progress.finish(
      `${label} uploaded: ${formatBytes(size)} in ${formatDuration(ms)} (${formatBytes((size / ms) * 1000)}/s)`,
    );
    return done;
  } catch (error) {
    progress.finish(`${label} not uploaded`);
    if (signal.aborted && id) terminal.note(`to go on: caudal upload '${path}' --resume ${id}`);
    throw refused(error);
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      error.code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read: ${error.message}`,
    );
  });
  if (!found.isFile()) throw new UsageError(`${path} is not a file.`);
  return found.size;
}

/** The token goes to the gateway only; signed URLs need none. */
function authorized({ url, token }: Client): typeof fetch {
  const origin = new URL(url).origin;
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (new URL(String(input)).origin === origin) headers.set('authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
}

/** Outgoing requests carry `traceparent` by themselves. */
const trace: TraceCall = (name, attributes, call) => withSpan(name, { attributes }, () => call({}));

function refused(error: unknown): unknown {
  const { status, code, message, hint, trace_id } = error as Partial<Refused>;
  if (typeof status !== 'number' || status === 0) return error;
  return new Refused(status, {
    detail: message ?? `HTTP ${status}`,
    ...(code ? { code } : {}),
    ...(hint ? { hint } : {}),
    ...(trace_id ? { trace_id } : {}),
  });
}
