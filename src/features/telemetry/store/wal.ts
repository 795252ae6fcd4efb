import { type FileHandle, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isUuid, newId } from '#kernel/ids.ts';
import type { OtlpFormat, OtlpSignal } from '../otlp/decode.ts';
import type { Sender } from '../otlp/origin.ts';

/** One export as it was acknowledged. */
export interface WalRecord {
  signal: OtlpSignal;
  format: OtlpFormat;
  sender: Sender;
  received_ns: bigint;
  /** Unpacked. */
  body: Uint8Array;
}

export interface Wal {
  id: string;
  bytes: number;
  /** Durable when it resolves: one write and one fdatasync for all of them. */
  append(records: readonly WalRecord[]): Promise<void>;
  close(): Promise<void>;
}

const SUFFIX = '.wal';
const FRAME = 8;

/** A new, empty write-ahead file. Its name survives a crash: the directory is fsync'd. */
export async function createWal(directory: string): Promise<Wal> {
  const id = newId();
  const handle = await open(join(directory, id + SUFFIX), 'wx', 0o600);
  await syncDirectory(directory);
  const wal: Wal = {
    id,
    bytes: 0,
    async append(records) {
      const frames = Buffer.concat(records.flatMap(frame));
      try {
        await writeAll(handle, frames, wal.bytes);
        await handle.datasync();
      } catch (error) {
        // What was refused must not come back at a recovery.
        await handle.truncate(wal.bytes).catch(() => undefined);
        throw error;
      }
      wal.bytes += frames.length;
    },
    close: () => handle.close(),
  };
  return wal;
}

/** Every write-ahead file that is there, oldest first (names are UUIDv7). */
export async function listWals(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => name.endsWith(SUFFIX) && isUuid(name.slice(0, -SUFFIX.length)))
    .map((name) => name.slice(0, -SUFFIX.length))
    .sort();
}

/**
 * The records of a file up to the first frame that is not whole: what comes after was never acknowledged, because
 * an append is acknowledged only after it and everything before it is on disk.
 */
export async function readWal(directory: string, id: string): Promise<WalRecord[]> {
  const bytes = await readFile(join(directory, id + SUFFIX));
  const records: WalRecord[] = [];
  let at = 0;
  while (at + FRAME <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    const payload = bytes.subarray(at + FRAME, at + FRAME + length);
    if (payload.length < length || crc32(payload) !== bytes.readUInt32LE(at + 4)) break;
    records.push(parse(payload));
    at += FRAME + length;
  }
  return records;
}

export async function removeWal(directory: string, id: string): Promise<void> {
  await unlink(join(directory, id + SUFFIX)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** `u32 length, u32 crc32, payload`; the payload is `u32 header length, header as JSON, body`. */
function frame(record: WalRecord): Buffer[] {
  const { signal, format, sender, received_ns } = record;
  const header = Buffer.from(JSON.stringify({ signal, format, sender, received_ns: String(received_ns) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const prefix = Buffer.alloc(FRAME);
  prefix.writeUInt32LE(4 + header.length + record.body.length);
  prefix.writeUInt32LE(crc32(record.body, crc32(header, crc32(length))), 4);
  return [prefix, length, header, Buffer.from(record.body.buffer, record.body.byteOffset, record.body.byteLength)];
}

function parse(payload: Buffer): WalRecord {
  const end = 4 + payload.readUInt32LE(0);
  const header = JSON.parse(payload.toString('utf8', 4, end));
  return { ...header, received_ns: BigInt(header.received_ns), body: payload.subarray(end) };
}

async function writeAll(handle: FileHandle, all: Buffer, start: number): Promise<void> {
  let written = 0;
  while (written < all.length) {
    const { bytesWritten } = await handle.write(all, written, all.length - written, start + written);
    written += bytesWritten;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
