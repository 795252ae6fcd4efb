import { useSyncExternalStore } from 'react';
import type { File as CaudalFile } from '../../../src/contract/files.ts';
import { startUpload, type Upload } from '../../../src/contract/upload-client.ts';
import type { UploadStatus } from '../../../src/contract/uploads.ts';
import { ApiError, call, get, sessionFetch } from '../api.ts';
import type { UploadEntry } from './entry.ts';
import { recall, remember } from './kept.ts';
import { sendPart } from './send-part.ts';
import { startTrace } from './tracing.ts';

/** Each upload sends four parts at a time already. */
const AT_ONCE = 2;
const SHOW_EVERY_MS = 100;

let workspace = '';
type HandOver = (file: CaudalFile, video: UploadEntry['video']) => void;

let handOver: HandOver = () => undefined;
let entries: readonly UploadEntry[] = [];
const files = new Map<string, File>();
const running = new Map<string, Upload>();
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useUploads(): readonly UploadEntry[] {
  return useSyncExternalStore(subscribe, () => entries);
}

function show(next: readonly UploadEntry[]): void {
  entries = next;
  for (const listener of listeners) listener();
}

function change(next: readonly UploadEntry[]): void {
  remember(workspace, next);
  show(next);
}

function update(key: string, changes: Partial<UploadEntry>): void {
  change(entries.map((entry) => (entry.key === key ? { ...entry, ...changes } : entry)));
}

/**
 * Begins with what this browser left unfinished in that workspace; what the server no longer waits for is dropped.
 * Each file that has arrived is handed over, and is no upload any more.
 */
export function openUploads(id: string, onStored: HandOver): void {
  handOver = onStored;
  if (workspace === id) return;
  workspace = id;
  for (const upload of running.values()) upload.pause();
  running.clear();
  files.clear();
  show(recall(workspace));
  for (const entry of entries) void lookUp(entry);
}

async function lookUp({ key, upload_id }: UploadEntry): Promise<void> {
  try {
    const status = await get<UploadStatus>(`/uploads/${upload_id}`);
    if (status.state === 'open') update(key, { sent: status.parts.reduce((sum, { size }) => sum + size, 0) });
    else dismissUpload(key);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) dismissUpload(key);
  }
}

/** Files that were dropped or chosen; one that was interrupted earlier goes on where it stopped. */
export function addFiles(chosen: readonly File[], dataset: string, video?: UploadEntry['video']): void {
  for (const file of chosen) {
    const lost = entries.find((entry) => entry.state === 'lost' && isSame(entry, file));
    const key = lost?.key ?? randomKey();
    files.set(key, file);
    if (lost) update(key, { state: 'waiting' });
    else {
      const { name, size, lastModified: last_modified } = file;
      const entry: UploadEntry = { key, name, size, last_modified, dataset, sent: 0, state: 'waiting' };
      change([{ ...entry, ...(video ? { video } : {}) }, ...entries]);
    }
  }
  startWaiting();
}

export function isSame(entry: UploadEntry, file: File): boolean {
  return entry.name === file.name && entry.size === file.size && entry.last_modified === file.lastModified;
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function pauseUpload(key: string): void {
  running.get(key)?.pause();
  update(key, { state: 'paused' });
  startWaiting();
}

export function resumeUpload(key: string): void {
  running.get(key)?.resume();
  update(key, { state: 'uploading' });
}

/** What has arrived stays; only the rest is sent again. */
export function retryUpload(key: string): void {
  change(entries.map((entry) => (entry.key === key ? waitingAgain(entry) : entry)));
  startWaiting();
}

function waitingAgain({ error: _error, ...entry }: UploadEntry): UploadEntry {
  return { ...entry, state: 'waiting' };
}

/** Leaves no bytes on the server. */
export async function cancelUpload(key: string): Promise<void> {
  const upload = running.get(key);
  const entry = entries.find((each) => each.key === key);
  dismissUpload(key);
  if (upload) await upload.abort().catch(() => undefined);
  else if (entry?.upload_id) await call('DELETE', `/uploads/${entry.upload_id}`).catch(() => undefined);
  startWaiting();
}

function dismissUpload(key: string): void {
  files.delete(key);
  running.delete(key);
  change(entries.filter((entry) => entry.key !== key));
}

function startWaiting(): void {
  for (const entry of [...entries].reverse()) {
    if (entries.filter(({ state }) => state === 'uploading').length >= AT_ONCE) return;
    const file = files.get(entry.key);
    if (entry.state === 'waiting' && file) begin(entry, file);
  }
}

function begin(entry: UploadEntry, file: File): void {
  const { key } = entry;
  const trace = startTrace('upload', { 'caudal.file.name': file.name.slice(0, 200), 'caudal.bytes': file.size });
  const upload = startUpload({
    base_url: location.origin,
    fetch: sessionFetch,
    source: file,
    filename: file.name,
    ...(file.type ? { content_type: file.type } : {}),
    ...(entry.dataset ? { dataset: entry.dataset } : {}),
    ...(entry.upload_id ? { resume: entry.upload_id } : {}),
    send: sendPart,
    trace: (name, attributes, work) => trace.span(name, attributes, work),
    onStarted: ({ upload_id, file_id }) => update(key, { upload_id, file_id }),
    onProgress: ({ sent }) => progress(key, sent),
  });
  running.set(key, upload);
  update(key, { state: 'uploading' });
  const isOurs = (): boolean => running.get(key) === upload;
  upload.done.then(
    (completed) => {
      trace.end();
      if (!isOurs()) return;
      handOver(completed.file, entry.video);
      dismissUpload(key);
      startWaiting();
    },
    (error: unknown) => {
      trace.end(error);
      if (!isOurs()) return;
      running.delete(key);
      update(key, { state: 'failed', error });
      if (error instanceof ApiError && GONE.includes(error.code)) forget(key);
      startWaiting();
    },
  );
}

/** The server does not wait for the rest any more: a retry begins anew. */
const GONE = ['upload_not_found', 'upload_closed'];

function forget(key: string): void {
  const without = ({ upload_id: _upload_id, file_id: _file_id, ...entry }: UploadEntry) => entry;
  change(entries.map((entry) => (entry.key === key ? without(entry) : entry)));
}

const arrived = new Map<string, number>();
let showing = false;

/** Bytes are reported hundreds of times a second; the page is drawn ten times. */
function progress(key: string, sent: number): void {
  arrived.set(key, sent);
  if (showing) return;
  showing = true;
  setTimeout(() => {
    showing = false;
    show(entries.map((entry) => ({ ...entry, sent: arrived.get(entry.key) ?? entry.sent })));
    arrived.clear();
  }, SHOW_EVERY_MS);
}

/** The browser asks before it throws away bytes that are on their way. */
window.addEventListener('beforeunload', (event) => {
  if (entries.some(({ state }) => state === 'uploading' || state === 'waiting')) event.preventDefault();
});
