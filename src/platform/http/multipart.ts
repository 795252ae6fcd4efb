import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import multipart, { type MultipartFile } from '@fastify/multipart';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { formatBytes } from '#kernel/bytes.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import type { App } from './app.ts';

export interface FormLimits {
  /** The largest single file. */
  file_bytes: number;
  /** All of a body: text and files. */
  total_bytes: number;
}

export interface ReceivedFile {
  field: string;
  /** As the sender calls it; '' when nothing was chosen. */
  filename: string;
  size: number;
  sha256: string;
  /** A file of this request's own, gone when it is answered. */
  path: string;
}

/** What a form's body holds, each part in its order. Files lie on disk: memory does not grow with them. */
export class ReceivedForm {
  readonly fields: [name: string, value: string][] = [];
  readonly files: ReceivedFile[] = [];

  /** The first value of each name. */
  record(): Record<string, string> {
    const record: Record<string, string> = Object.create(null);
    for (const [name, value] of this.fields) record[name] ??= value;
    return record;
  }

  /** Names that came more than once. */
  repeated(): string[] {
    const names = this.fields.map(([name]) => name);
    return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
  }

  /** What an Idempotency-Key compares: boundaries and paths differ from one sending to the next. */
  toJSON(): unknown {
    return { fields: this.fields, files: this.files.map(({ path: _path, ...rest }) => rest) };
  }
}

const MAX_FIELDS = 1000;
const MAX_FILES = 20;
const MAX_TEXT = 1 << 20;
/** A refused body that is shorter is read to its end, so that the client sees the answer; a longer one is cut off. */
const DRAINED = 16 << 20;

/**
 * Makes `request.body` a `ReceivedForm` for forms of either content type, within an encapsulated scope. Reads the body
 * only after the rate limit, and what the scope's own earlier hooks refuse; a handler or hook that comes after sees it.
 */
export async function acceptForms(app: App, tempDir: string, limits: FormLimits): Promise<void> {
  await app.register(multipart, {
    throwFileSizeLimit: false,
    limits: {
      fieldNameSize: 1000,
      fieldSize: MAX_TEXT,
      fields: MAX_FIELDS,
      files: MAX_FILES,
      fileSize: limits.file_bytes,
      parts: MAX_FIELDS + MAX_FILES,
      headerPairs: 50,
    },
  });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: MAX_TEXT },
    (_request, body, done) => {
      const form = new ReceivedForm();
      for (const pair of new URLSearchParams(String(body))) form.fields.push(pair);
      done(null, form);
    },
  );
  app.addHook('preValidation', async (request, reply) => {
    if (!request.isMultipart()) return;
    request.body = await receive(request, reply, tempDir, limits);
  });
}

async function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  tempDir: string,
  limits: FormLimits,
): Promise<ReceivedForm> {
  const announced = Number(request.headers['content-length'] ?? 0);
  try {
    if (announced > limits.total_bytes) throw tooLarge(limits.total_bytes);
    const directory = await mkdtemp(join(tempDir, 'form.'));
    reply.raw.once('close', () => void rm(directory, { recursive: true, force: true }));
    return await readParts(request, directory, limits);
  } catch (error) {
    if (announced > 0 && announced <= DRAINED) request.raw.resume();
    else reply.header('Connection', 'close');
    throw refusalOf(error, limits);
  }
}

async function readParts(request: FastifyRequest, directory: string, limits: FormLimits): Promise<ReceivedForm> {
  const form = new ReceivedForm();
  let total = 0;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      const file = await keepFile(part, join(directory, String(form.files.length)), limits, limits.total_bytes - total);
      total += file.size;
      form.files.push(file);
      continue;
    }
    const { fieldname, value } = part;
    if (part.valueTruncated || part.fieldnameTruncated) {
      const message = `A text of a form holds at most ${formatBytes(MAX_TEXT)}.`;
      throw fail('payload_too_large', message, { errors: [{ field: fieldname, code: 'too_long', message }] });
    }
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
    total += text.length;
    if (total > limits.total_bytes) throw tooLarge(limits.total_bytes);
    form.fields.push([fieldname, text]);
  }
  return form;
}

async function keepFile(part: MultipartFile, path: string, limits: FormLimits, left: number): Promise<ReceivedFile> {
  const hash = createHash('sha256');
  let size = 0;
  const count = new PassThrough();
  count.on('data', (chunk: Buffer) => {
    size += chunk.length;
    hash.update(chunk);
    if (size > left) count.destroy(tooLarge(limits.total_bytes));
  });
  await pipeline(part.file, count, createWriteStream(path, { mode: 0o600 }));
  if (part.file.truncated) {
    const message = `The file has more than ${formatBytes(limits.file_bytes)}.`;
    const field = part.fieldname;
    throw fail('payload_too_large', message, { errors: [{ field, code: 'too_large', message }] });
  }
  return { field: part.fieldname, filename: part.filename ?? '', size, sha256: hash.digest('hex'), path };
}

function tooLarge(most: number): CaudalError {
  return fail('payload_too_large', `The form has more than ${formatBytes(most)}.`);
}

/** What busboy and the plugin call it. */
function refusalOf(error: unknown, limits: FormLimits): unknown {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (/^FST_(PARTS|FILES|FIELDS)_LIMIT$/.test(code)) {
    return fail('payload_too_large', `A form holds at most ${MAX_FIELDS} fields and ${MAX_FILES} files.`, {
      cause: error,
    });
  }
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(limits.file_bytes);
  if (/^FST_|multipart|boundary|header/i.test(`${code} ${message}`)) {
    return fail('bad_request', `The form could not be read: ${message.slice(0, 200)}.`, { cause: error });
  }
  return error;
}
