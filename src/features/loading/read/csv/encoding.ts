import { isUtf8 } from 'node:buffer';
import { createReadStream, createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import chardet from 'chardet';
import iconv from 'iconv-lite';
import { fail } from '#kernel/errors.ts';

export interface Encoding {
  /** As IANA and iconv-lite name it, in lower case. */
  name: string;
  /** Bytes of the byte order mark. */
  bom: number;
}

const BOMS: [bytes: number[], name: string][] = [
  [[0xff, 0xfe, 0, 0], 'utf-32le'],
  [[0, 0, 0xfe, 0xff], 'utf-32be'],
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
];

/**
 * The encoding of a text by its head: byte order mark, then the pattern of zero bytes, then valid
 * UTF-8, then statistics (chardet). Western single-byte texts are read as windows-1252, a superset
 * of what people call latin-1 (WHATWG Encoding Standard, §4.2).
 * @throws undecodable_text when the bytes are no text
 */
export function detectEncoding(head: Buffer): Encoding {
  for (const [bytes, name] of BOMS) {
    if (bytes.every((byte, index) => head[index] === byte)) return { name, bom: bytes.length };
  }
  const wide = zeroPattern(head);
  if (wide) return { name: wide, bom: 0 };
  if (isUtf8(completeUtf8(head))) return { name: 'utf-8', bom: 0 };
  return { name: mostlyUtf8(head) ? 'utf-8' : guess(head), bom: 0 };
}

/** ASCII in a wide encoding has its zero bytes at fixed places. */
function zeroPattern(head: Buffer): string | undefined {
  const length = Math.min(head.length & ~3, 4096);
  if (length < 4) return undefined;
  const zeros = [0, 0, 0, 0];
  for (let index = 0; index < length; index += 1) if (head[index] === 0) zeros[index & 3] = (zeros[index & 3] ?? 0) + 1;
  const share = zeros.map((count) => count / (length / 4));
  const [a = 0, b = 0, c = 0, d = 0] = share;
  if (b > 0.9 && c > 0.9 && d > 0.9 && a < 0.1) return 'utf-32le';
  if (a > 0.9 && b > 0.9 && c > 0.9 && d < 0.1) return 'utf-32be';
  if (b > 0.4 && d > 0.4 && a < 0.1 && c < 0.1) return 'utf-16le';
  if (a > 0.4 && c > 0.4 && b < 0.1 && d < 0.1) return 'utf-16be';
  if (Math.min(a, b, c, d) > 0.05) {
    throw fail('undecodable_text', 'The file holds binary data, not text.', {
      hint: 'Export it as CSV in UTF-8 and upload that.',
    });
  }
  return undefined;
}

/** Without a character cut at the end. */
function completeUtf8(head: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, head.length); back += 1) {
    const byte = head[head.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return head.subarray(0, head.length - back);
  }
  return head;
}

/** A few bad bytes in a text that is otherwise full of proper multi-byte characters: those rows are at fault. */
function mostlyUtf8(head: Buffer): boolean {
  const text = completeUtf8(head).toString('utf8');
  let bad = 0;
  let good = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code === 0xfffd) bad += 1;
    else if (code > 127) good += 1;
  }
  return good > 4 * bad;
}

const WESTERN = /^(iso-8859-1|windows-1252|ascii|iso-8859-15)$/i;
const MULTIBYTE = /^(shift_jis|euc-jp|euc-kr|big5|gb18030|iso-2022-.*)$/i;

function guess(head: Buffer): string {
  const evidence = highLines(head);
  const ranked = chardet
    .analyse(evidence)
    .filter((match) => !/^utf/i.test(match.name) && iconv.encodingExists(match.name));
  const best = ranked[0];
  if (!best || WESTERN.test(best.name)) return 'windows-1252';
  const multibyte = ranked.find((match) => MULTIBYTE.test(match.name) && match.confidence >= best.confidence - 5);
  if (multibyte && plausible(evidence, multibyte.name)) return multibyte.name.toLowerCase();
  // On a handful of bytes statistics are noise: then the commonest encoding of the world's CSV files.
  const high = evidence.reduce((sum, byte) => sum + (byte > 127 ? 1 : 0), 0);
  if (high < 30 || best.confidence < 30 || MULTIBYTE.test(best.name)) return 'windows-1252';
  const western = ranked.find((match) => WESTERN.test(match.name));
  if (western && western.confidence >= best.confidence - 10) return 'windows-1252';
  return best.name.toLowerCase();
}

/** Decodes without a single replacement, to letters rather than private or half-width debris. */
function plausible(bytes: Buffer, name: string): boolean {
  const text = iconv.decode(bytes, name);
  const cut = text.endsWith('\uFFFD') ? text.slice(0, -1) : text;
  if (cut.includes('\uFFFD')) return false;
  const wide = [...cut].filter((char) => char > '\x7f');
  const letters = wide.filter((char) => /[\p{L}\p{N}\u3000-\u303f\uff00-\uffef]/u.test(char));
  return letters.length >= wide.length * 0.7;
}

/** The lines that hold bytes beyond ASCII, at most 64 KiB of them: the rest says nothing. */
function highLines(head: Buffer): Buffer {
  const lines: Buffer[] = [];
  let total = 0;
  for (let from = 0; from < head.length && total < 65536; ) {
    const found = head.indexOf(10, from);
    const next = found < 0 ? head.length : found + 1;
    const line = head.subarray(from, next);
    if (line.some((byte) => byte > 127)) {
      lines.push(line);
      total += line.length;
    }
    from = next;
  }
  return Buffer.concat(lines);
}

/** For bytes that are not UTF-8 in a file that so far was ASCII; undefined when it is UTF-8 with a few bad bytes. */
export function lateEncoding(bytes: Buffer): Encoding | undefined {
  return mostlyUtf8(bytes) ? undefined : { name: guess(bytes), bom: 0 };
}

/** The encoding a caller named, as iconv-lite knows it. @throws undecodable_text */
export function namedEncoding(name: string, head: Buffer): Encoding {
  const plain = name.toLowerCase();
  const alias = /^(latin-?1|iso-8859-1)$/.test(plain) ? 'windows-1252' : plain === 'utf8' ? 'utf-8' : plain;
  if (!iconv.encodingExists(alias)) {
    throw fail('undecodable_text', `There is no encoding “${name}”.`, { hint: 'E.g. utf-8, windows-1252, shift_jis.' });
  }
  const marked = BOMS.find(([bytes, bom]) => bom.startsWith(alias) && bytes.every((byte, at) => head[at] === byte));
  return { name: alias === 'utf-16' ? (marked?.[1] ?? 'utf-16le') : alias, bom: marked?.[0].length ?? 0 };
}

const REPLACEMENT = Buffer.from('\uFFFD');

/**
 * Streams the file to UTF-8. Memory is flat.
 * @returns whether some bytes could not be decoded (they are U+FFFD now, and their records at fault)
 */
export async function transcode(from: string, to: string, encoding: Encoding): Promise<boolean> {
  const decoder = iconv.getDecoder(encoding.name, { stripBOM: false });
  let damaged = false;
  const utf8 = (text: string | undefined): Buffer => {
    const bytes = Buffer.from(text ?? '');
    damaged ||= bytes.includes(REPLACEMENT);
    return bytes;
  };
  const decode = new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, utf8(decoder.write(chunk))),
    flush: (done) => done(null, utf8(decoder.end())),
  });
  await pipeline(
    createReadStream(from, { start: encoding.bom, highWaterMark: 1 << 20 }),
    decode,
    createWriteStream(to),
  );
  return damaged;
}
