import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Carrier } from '#contract/carrier.ts';

/** What an archive keeps of a batch beside its records. */
export interface ArchivedBatch {
  id: string;
  first_offset: number;
  last_offset: number;
  carrier: Carrier | null;
  trace_id: string | null;
  created_at: string;
}

/** A frame that decoders of Zstandard pass over (RFC 8878, 3.1.2): magic number, length, anything. */
const SKIPPABLE = 0x184d2a50;

/**
 * Batches as one object: NDJSON in Zstandard, one event per line, which any program reads that reads `.zst`; whose
 * the lines are stands in a frame in front that such programs pass over.
 */
export function encodeArchive(batches: readonly ArchivedBatch[], records: readonly Buffer[]): Buffer {
  const index = zstdCompressSync(Buffer.from(JSON.stringify(batches)));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(SKIPPABLE, 0);
  head.writeUInt32LE(index.length, 4);
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
  return Buffer.concat([head, index, zstdCompressSync(Buffer.concat(records), level)]);
}

/** @throws when the bytes are not what `encodeArchive` made */
export function decodeArchive(bytes: Buffer): { batches: ArchivedBatch[]; records: Buffer[] } {
  if (bytes.length < 8 || bytes.readUInt32LE(0) !== SKIPPABLE) throw new Error('this is no archive of events');
  const end = 8 + bytes.readUInt32LE(4);
  const batches = JSON.parse(zstdDecompressSync(bytes.subarray(8, end)).toString()) as ArchivedBatch[];
  const all = zstdDecompressSync(bytes.subarray(end));
  let start = 0;
  const records = batches.map(({ first_offset, last_offset }) => {
    let at = start;
    for (let line = first_offset; line <= last_offset; line += 1) at = all.indexOf(0x0a, at) + 1;
    const mine = all.subarray(start, at);
    start = at;
    return mine;
  });
  if (start !== all.length) throw new Error('an archive of events holds other lines than its index says');
  return { batches, records };
}
