import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from 'yauzl';
import { CaudalError, fail } from '#kernel/errors.ts';
import type { Budget } from './budget.ts';
import { metered, unpackError } from './unpack.ts';

/** Workbooks have dozens of parts, archives of daily files hundreds. */
const MAX_ENTRIES = 20_000;
/** How far from the file's end the directory may end: a comment of 64 KiB, and as much garbage as we forgive. */
const TAIL = 1024 * 1024;
const CUT_OFF = 'The upload or the download before it was probably cut off; get the file again.';

export interface ZipEntry {
  /** As written in the archive; never a path of ours. */
  name: string;
  /** Unpacked, as the directory says; the stream fails if it lies. */
  size: number;
  entry: Entry;
}

export interface Zip {
  entries: ZipEntry[];
  /** The entry's unpacked bytes. @throws encrypted_file, unsupported_format, corrupt_file */
  read(entry: ZipEntry): Promise<Readable>;
  close(): void;
}

/**
 * Opens a zip by its central directory. Names are taken as text: `../` and absolute ones are
 * harmless, because nothing is ever written under them.
 * @throws truncated_file, corrupt_file
 */
export async function openZip(path: string, size: number): Promise<Zip> {
  try {
    const file = await fromRandomAccessReaderPromise(new FileReader(path), await directoryEnd(path, size), {
      autoClose: false,
      decodeStrings: false,
    });
    try {
      return { entries: await listEntries(file), read: (entry) => readEntry(file, entry), close: () => file.close() };
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    throw zipError(error);
  }
}

/** yauzl's own reader of a file knows no end but the file's; ours lets bytes after the archive be cut off. */
class FileReader extends RandomAccessReader {
  readonly #path: string;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return end <= start ? Readable.from([]) : createReadStream(this.#path, { start, end: end - 1 });
  }
}

const END_OF_DIRECTORY = Buffer.from('PK\x05\x06', 'latin1');

/** Offset after the end-of-central-directory record and its comment (APPNOTE 4.3.16). @throws truncated_file */
async function directoryEnd(path: string, size: number): Promise<number> {
  const tail = await readTail(path, size);
  for (let at = tail.lastIndexOf(END_OF_DIRECTORY); at >= 0; at = tail.lastIndexOf(END_OF_DIRECTORY, at - 1)) {
    const end = at + 22 + (at + 22 <= tail.length ? tail.readUInt16LE(at + 20) : tail.length);
    if (end <= tail.length) return size - tail.length + end;
    if (at === 0) break;
  }
  throw fail('truncated_file', 'The archive ends before its directory.', { hint: CUT_OFF });
}

async function readTail(path: string, size: number): Promise<Buffer> {
  const handle: FileHandle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(size, TAIL));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function listEntries(file: ZipFile): Promise<ZipEntry[]> {
  if (file.entryCount > MAX_ENTRIES) {
    throw fail(
      'decompression_bomb',
      `The archive holds ${file.entryCount} entries; at most ${MAX_ENTRIES} are opened.`,
    );
  }
  const entries: ZipEntry[] = [];
  for await (const entry of file.eachEntry()) {
    const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, false);
    entries.push({ name, size: entry.uncompressedSize, entry });
  }
  return entries;
}

async function readEntry(file: ZipFile, { name, entry }: ZipEntry): Promise<Readable> {
  if (entry.isEncrypted()) {
    throw fail('encrypted_file', `“${name}” in the archive is protected by a password.`, {
      hint: 'Upload the archive without a password.',
    });
  }
  if (!entry.canDecodeFileData()) {
    throw fail(
      'unsupported_format',
      `“${name}” is packed by a method (${entry.compressionMethod}) that is not supported.`,
      {
        hint: 'Pack the archive with the usual method (deflate).',
      },
    );
  }
  try {
    return checked(await file.openReadStreamPromise(entry), name, entry.crc32);
  } catch (error) {
    throw zipError(error);
  }
}

/** yauzl checks sizes but no checksums; one bent bit in packed data is otherwise another text without an error. */
function checked(input: Readable, name: string, expected: number): Readable {
  let sum = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
    flush(done) {
      // Zero is what writers leave who did not compute it.
      if (expected === 0 || sum === expected) return done();
      done(
        fail('corrupt_file', `The checksum of “${name}” in the archive does not match.`, {
          hint: 'Test the archive with the program that made it, and get it again from where it came.',
        }),
      );
    },
  });
  input.on('error', (error) => check.destroy(error));
  check.on('close', () => input.destroy());
  return input.pipe(check);
}

/** Writes one entry to disk. @throws as `read`, and decompression_bomb */
export async function extract(zip: Zip, entry: ZipEntry, target: string, budget: Budget): Promise<void> {
  const input = await zip.read(entry);
  try {
    await pipeline(input, metered(budget), createWriteStream(target, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    throw zipError(error);
  }
}

/** Words for what yauzl and zlib say of a damaged archive. */
export function zipError(error: unknown): Error {
  if (error instanceof CaudalError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/unexpected EOF|truncated|end of file/i.test(message)) {
    return fail('truncated_file', 'The archive ends too early.', { hint: CUT_OFF, cause: error });
  }
  return unpackError(error, 'zip');
}
