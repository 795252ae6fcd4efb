import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { fail } from '#kernel/errors.ts';
import type { RecordFormat } from '#platform/stream/records.ts';
import type { App } from './app.ts';

const FORMATS: Record<string, RecordFormat> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
};
/** Content types of one record, a list of them, or one on each line. */
export const RECORD_TYPES = Object.keys(FORMATS);

/** Bodies as bytes: what is stored is what was sent, to the last digit. */
export function acceptRecords(scope: App, max_bytes: number): void {
  const unpack = promisify(gunzip);
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    Object.keys(FORMATS),
    { parseAs: 'buffer', bodyLimit: max_bytes },
    async (request: FastifyRequest, body: Buffer) => {
      const encoding = request.headers['content-encoding'] ?? 'identity';
      if (encoding === 'identity') return body;
      if (encoding !== 'gzip') {
        throw fail('unsupported_media_type', 'Records may be compressed with gzip, and with nothing else.');
      }
      try {
        return await unpack(body, { maxOutputLength: max_bytes });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
          throw fail('payload_too_large', `The records are larger than ${max_bytes} bytes when they are unpacked.`);
        }
        throw fail('bad_request', 'The body is not what gzip makes.');
      }
    },
  );
}

export function formatOf(request: FastifyRequest): RecordFormat {
  const type = String(request.headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  if (!Buffer.isBuffer(request.body)) throw fail('invalid_input', 'There is no record in the body.');
  return FORMATS[type.trim().toLowerCase()] ?? 'json';
}
