import type { FastifyRequest } from 'fastify';
import type { DeclaredColumn } from '#contract/datasets.ts';
import type { Principal } from '#contract/principal.ts';
import { type CaudalError, type FieldError, fail } from '#kernel/errors.ts';
import type { Tx } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { type ReceivedFile, ReceivedForm } from '#platform/http/multipart.ts';
import { formatOf } from '#platform/http/record-body.ts';
import type { DatasetTarget } from '#platform/lake/dataset-rows.ts';
import { type Records, readRecords } from '#platform/stream/records.ts';
import { type JudgedRow, parseRecord } from './judge.ts';

/** One row as it was sent: photos as files, or by id in the record. */
export interface SentRow {
  record: Record<string, unknown>;
  /** Names that came more than once. */
  repeated: readonly string[];
  files: readonly ReceivedFile[];
}

/** A row's photos are stored and stand in its record by id; nobody's until they are kept. */
export interface RowsWithPhotos {
  records: Record<string, unknown>[];
  /** What was wrong with the sending of the one row; of many, the first refusal is thrown. */
  refusals: CaudalError[];
  /** In the transaction that takes the rows. */
  keep(tx: Tx): Promise<void>;
  /** When they were refused. */
  discard(): Promise<void>;
}

export interface PhotoTarget {
  workspace_id: string;
  dataset_id: string;
  name: string;
  columns: DeclaredColumn[];
}

/** How photos come with rows: other rooms' doing, handed over by a role. */
export interface RowPhotos {
  /** Makes `request.body` a ReceivedForm where a form is sent. */
  acceptForms(scope: App): Promise<void>;
  /** @throws image_busy; of several rows, what is wrong with a photo */
  read(target: PhotoTarget, rows: SentRow[], principal: Principal): Promise<RowsWithPhotos>;
}

export interface Sent {
  records: Records;
  /** Refused as a whole when it breaks a rule. */
  single: boolean;
  photos?: RowsWithPhotos;
}

/** What a request brings: a form's one row, or records, in which ids of files become photos. */
export async function readSent(photos: RowPhotos, target: DatasetTarget, request: FastifyRequest): Promise<Sent> {
  const principal = principalOf(request);
  const { body } = request;
  const columns = target.declared ?? [];
  const place = { workspace_id: principal.workspace_id, dataset_id: target.id, name: target.name, columns };
  if (body instanceof ReceivedForm) {
    const record = withoutBlanks(body.record());
    const row = { record, repeated: body.repeated(), files: body.files };
    return withPhotos(await photos.read(place, [row], principal), true);
  }
  const format = formatOf(request);
  const records = readRecords(body as Buffer, format);
  const single = format === 'json' && !isArray(body as Buffer);
  const named = columns.some(({ type }) => type === 'file') ? namingFiles(records, columns) : [];
  if (named.length === 0) return { records, single };
  return withPhotos(await photos.read(place, named, principal), single);
}

function withPhotos(read: RowsWithPhotos, single: boolean): Sent {
  const lines = read.records.map((record) => `${JSON.stringify(record)}\n`);
  return { records: { ndjson: Buffer.from(lines.join('')), count: lines.length }, single, photos: read };
}

/** An empty field of a form is no value. */
function withoutBlanks(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value.trim() !== ''));
}

/** Each becomes a picture to decode: more belong into several requests. */
const MOST_WITH_FILES = 100;

/** All rows when one of them names a file, otherwise none. */
function namingFiles(records: Records, columns: readonly DeclaredColumn[]): SentRow[] {
  const files = new Set(columns.filter(({ type }) => type === 'file').map(({ name }) => name.toLowerCase()));
  const lines = records.ndjson.toString('utf8').split('\n').slice(0, -1);
  const rows = lines.map((line) => parseRecord(line) as Record<string, unknown>);
  const naming = rows.filter((row) =>
    Object.entries(row).some(([name, value]) => files.has(name.toLowerCase()) && value !== null && value !== ''),
  );
  if (naming.length === 0) return [];
  if (naming.length > MOST_WITH_FILES) {
    const message = `At most ${MOST_WITH_FILES} rows with files are taken at once; there are ${naming.length}.`;
    throw fail('invalid_input', message, { errors: [{ field: 'body', code: 'too_many_files', message }] });
  }
  return rows.map((record) => ({ record, repeated: [], files: [] }));
}

function isArray(body: Buffer): boolean {
  return body.toString('utf8', 0, 1_000).trimStart().replace('\ufeff', '').startsWith('[');
}

/** Of the one row: a photo that came and was refused is not missing besides. */
export function withRefusals(judged: JudgedRow[], photos: RowsWithPhotos | undefined): JudgedRow[] {
  const refused: FieldError[] = photos?.refusals.flatMap(({ errors = [] }) => errors) ?? [];
  const [row] = judged;
  if (refused.length === 0 || !row) return judged;
  const fields = new Set(refused.map(({ field }) => field));
  const faults = row.errors.filter(({ field, code }) => !(code === 'required' && fields.has(field)));
  return [{ key_hash: null, errors: [...faults, ...refused] }];
}
