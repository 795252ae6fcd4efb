import { isUtf8 } from 'node:buffer';
import { Malformed } from './cursor.ts';

/**
 * JSON in the making, as UTF-8: one allocation when it is read, where joining texts would make one for each of them.
 */
export interface JsonText {
  bytes: Buffer;
  /** How much is written. */
  at: number;
  /** Nothing but ASCII is written. */
  ascii: boolean;
}

export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const COMMA = 0x2c;
export const COLON = 0x3a;
const QUOTE = 0x22;

export function emptyJson(): JsonText {
  return { bytes: Buffer.allocUnsafe(1024), at: 0, ascii: true };
}

export function clear(json: JsonText): void {
  json.at = 0;
  json.ascii = true;
}

/** What was written since `from`. */
export function textSince({ bytes, at, ascii }: JsonText, from: number): string {
  return bytes.toString(ascii ? 'latin1' : 'utf8', from, at);
}

export function writeByte(json: JsonText, byte: number): void {
  makeRoom(json, 1);
  json.bytes[json.at] = byte;
  json.at += 1;
}

/** JSON as it is, in ASCII. */
export function writeAscii(json: JsonText, text: string): void {
  makeRoom(json, text.length);
  const { bytes, at } = json;
  for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index);
  json.at = at + text.length;
}

/** JSON as it is. */
export function writeRaw(json: JsonText, text: string): void {
  const size = Buffer.byteLength(text);
  makeRoom(json, size);
  json.bytes.write(text, json.at);
  json.at += size;
  if (size !== text.length) json.ascii = false;
}

/** The bytes of UTF-8 that JSON keeps as they are: all but control characters, quote and backslash. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x20 && byte !== QUOTE && byte !== 0x5c ? 1 : 0));

/**
 * UTF-8 as a string of JSON.
 *
 * @throws Malformed it is none
 */
export function writeString(json: JsonText, source: Buffer, start: number, end: number): void {
  makeRoom(json, end - start + 2);
  const { bytes } = json;
  let to = json.at;
  bytes[to++] = QUOTE;
  let bits = 0;
  for (let from = start; from < end; from += 1) {
    const byte = source[from] as number;
    if (PLAIN[byte] === 0) {
      writeRaw(json, JSON.stringify(utf8At(source, start, end)));
      return;
    }
    bits |= byte;
    bytes[to++] = byte;
  }
  if (bits >= 0x80) {
    checkUtf8(source, start, end);
    json.ascii = false;
  }
  bytes[to++] = QUOTE;
  json.at = to;
}

/** @throws Malformed */
export function utf8At(source: Buffer, start: number, end: number): string {
  for (let at = start; at < end; at += 1) {
    if ((source[at] as number) < 0x80) continue;
    checkUtf8(source, start, end);
    return source.toString('utf8', start, end);
  }
  return source.toString('latin1', start, end);
}

function checkUtf8(source: Buffer, start: number, end: number): void {
  if (!isUtf8(source.subarray(start, end))) throw new Malformed('a text is not UTF-8', start);
}

function makeRoom(json: JsonText, size: number): void {
  if (json.at + size <= json.bytes.length) return;
  const larger = Buffer.allocUnsafe(Math.max(2 * json.bytes.length, json.at + size));
  json.bytes.copy(larger, 0, 0, json.at);
  json.bytes = larger;
}
