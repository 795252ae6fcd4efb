import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { formatBytes } from '#kernel/bytes.ts';
import { fail } from '#kernel/errors.ts';
import type { OtlpFormat, OtlpSignal } from './otlp/decode.ts';
import type { Sender } from './otlp/origin.ts';

/** One export as it came over HTTP. */
export interface OtlpExport {
  signal: OtlpSignal;
  format: OtlpFormat;
  encoding: 'gzip' | 'identity';
  body: Uint8Array;
}

/** Items that were refused while the rest was kept (OTLP's partial success). */
export interface Accepted {
  rejected: number;
  reason: string | null;
}

/** The store itself, or the way to it from another process. */
export interface TelemetryIntake {
  accept(message: OtlpExport, sender: Sender): Promise<Accepted>;
}

export const MAX_RECEIVED_BYTES = 16 << 20;
export const MAX_UNPACKED_BYTES = 64 << 20;

const unzip = promisify(gunzip);

/** @throws otlp_malformed, payload_too_large */
export async function unpack({ body, encoding }: OtlpExport): Promise<Uint8Array> {
  if (encoding === 'identity') return body;
  try {
    return await unzip(body, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw fail('payload_too_large', `The export unpacks to more than ${formatBytes(MAX_UNPACKED_BYTES)}.`);
    }
    throw fail('otlp_malformed', 'The body says it is gzip, but is damaged or ends too early.', { cause: error });
  }
}
