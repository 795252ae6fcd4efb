import { open } from 'node:fs/promises';

export type Container = 'gzip' | 'zstd' | 'bzip2' | 'zip';

const HEAD_BYTES = 64 * 1024;

/** The first 64 KiB of a file (all of a smaller one). */
export async function readHead(path: string, length = HEAD_BYTES): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const BZIP2_BLOCKS = new Set(['1AY&SY', '\x17rE8P\x90']);

/** Recognises what must be unpacked by its first bytes; the name does not matter. */
export function containerOf(head: Buffer): Container | undefined {
  if (head.length >= 3 && head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  if (isZstdFrame(head)) return 'zstd';
  // `BZh` alone begins ordinary words too: the block's magic (or that of an empty stream) must follow.
  if (/^BZh[1-9]$/.test(head.toString('latin1', 0, 4)) && BZIP2_BLOCKS.has(head.toString('latin1', 4, 10)))
    return 'bzip2';
  if (startsWith(head, 'PK\x03\x04') || startsWith(head, 'PK\x05\x06')) return 'zip';
  return undefined;
}

/** A zstd frame, or one of the skippable frames that may precede it (RFC 8878, 3.1). */
export function isZstdFrame(head: Buffer): boolean {
  if (head.length < 4) return false;
  const magic = head.readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}

function startsWith(head: Buffer, text: string): boolean {
  return head.toString('latin1', 0, text.length) === text;
}

interface Foreign {
  what: string;
  hint: string;
  matches(head: Buffer): boolean;
}

const begins =
  (...prefixes: string[]) =>
  (head: Buffer): boolean =>
    prefixes.some((prefix) => startsWith(head, prefix));
const at =
  (offset: number, text: string) =>
  (head: Buffer): boolean =>
    head.toString('latin1', offset, offset + text.length) === text;
const EXPORT = 'Export the table as CSV, JSON, Parquet or XLSX and upload that.';
const UNPACK = 'Unpack it and upload the file inside, or pack it as .zip, .gz, .zst or .bz2.';

/** Kinds of file that are plainly something else, so that a person is told what, instead of getting a table of rubbish. */
const FOREIGN: Foreign[] = [
  { what: 'a PDF document', hint: EXPORT, matches: begins('%PDF-') },
  { what: 'a PNG image', hint: EXPORT, matches: begins('\x89PNG\r\n') },
  { what: 'a JPEG image', hint: EXPORT, matches: begins('\xff\xd8\xff') },
  { what: 'a GIF image', hint: EXPORT, matches: begins('GIF87a', 'GIF89a') },
  { what: 'a TIFF image', hint: EXPORT, matches: begins('II*\0', 'MM\0*') },
  { what: 'a video or image container', hint: EXPORT, matches: at(4, 'ftyp') },
  { what: 'a Matroska or WebM video', hint: EXPORT, matches: begins('\x1a\x45\xdf\xa3') },
  {
    what: 'a RIFF file (image, sound or video)',
    hint: EXPORT,
    matches: (head) => begins('RIFF')(head) && /^(WEBP|WAVE|AVI )/.test(head.toString('latin1', 8, 12)),
  },
  { what: 'an SQLite database', hint: EXPORT, matches: begins('SQLite format 3\0') },
  { what: 'an Arrow file', hint: EXPORT, matches: begins('ARROW1') },
  { what: 'an Avro file', hint: EXPORT, matches: begins('Obj\x01') },
  { what: 'a 7-Zip archive', hint: UNPACK, matches: begins("7z\xbc\xaf'\x1c") },
  { what: 'a RAR archive', hint: UNPACK, matches: begins('Rar!\x1a\x07') },
  { what: 'an xz archive', hint: UNPACK, matches: begins('\xfd7zXZ\0') },
  { what: 'an LZ4 archive', hint: UNPACK, matches: begins('\x04"M\x18') },
  { what: 'a tar archive', hint: UNPACK, matches: at(257, 'ustar') },
  { what: 'a program', hint: EXPORT, matches: begins('\x7fELF', 'MZ\x90\0') },
  {
    what: 'a web page',
    hint: 'Download the data itself, not the page that shows it; a sign-in page is a common cause.',
    matches: (head) => /^(\xef\xbb\xbf)?\s*<(!doctype html|html|head)\b/i.test(head.toString('latin1', 0, 512)),
  },
  {
    what: 'an XML document',
    hint: EXPORT,
    matches: (head) => /^(\xef\xbb\xbf)?\s*<\?xml\s/i.test(head.toString('latin1', 0, 512)),
  },
];

/** What a file is that holds no table, or undefined. */
export function foreignKind(head: Buffer): { what: string; hint: string } | undefined {
  return FOREIGN.find((kind) => kind.matches(head));
}
