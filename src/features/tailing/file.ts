import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A longer line is cut here; the rest of it is skipped. */
export const LONGEST_LINE = 64 * 1024;
/** Read at a time; what a line may be at most until it is known to be too long. */
export const CHUNK = 256 * 1024;
/** Lines handed over at a time. */
const MOST_LINES = 1000;
/** Bytes before a position by which a file is known again; a line of a log with its time fits in. */
const MARK_BYTES = 256;

/** Where a file was read to, in a form that outlives the process. */
export interface Position {
  offset: number;
  /** The last line was too long: what follows, up to the next LF, is its rest. */
  inLongLine: boolean;
  /** SHA-256 of the bytes before `offset`. A digest, because they may hold secrets. */
  mark: string;
}

/** One file that is being read. After a truncation it is another one, although descriptor and inode are the same. */
export interface FollowedFile {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly handle: FileHandle;
  /** The end of what was handed over. */
  offset: number;
  inLongLine: boolean;
  /** The bytes before `offset`. */
  before: Buffer;
  committed: Position;
}

export interface Line {
  text: string;
  /** Only its first `LONGEST_LINE` bytes are here. */
  cut: boolean;
  file: FollowedFile;
  /** Where the next line begins. */
  end: number;
  /** What follows `end` is the rest of this line. */
  open: boolean;
}

export const START: Position = { offset: 0, inLongLine: false, mark: '' };

/** @throws ENOENT, EACCES, or that it is no regular file */
export async function openRegular(path: string): Promise<FollowedFile> {
  // Without O_NONBLOCK opening a FIFO would wait for a writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new Error(`${path} is no regular file`);
  }
  return { path, dev: stat.dev, ino: stat.ino, handle, ...freshState() };
}

export function freshState() {
  return { offset: 0, inLongLine: false, before: Buffer.alloc(0), committed: START };
}

/** Moves on to a position of an earlier reading. @returns false when these are not the bytes that were read then */
export async function resume(file: FollowedFile, position: Position): Promise<boolean> {
  const before = await bytesBefore(file.handle, position.offset);
  if (before === undefined || digest(before) !== position.mark) return false;
  Object.assign(file, { offset: position.offset, inLongLine: position.inLongLine, before, committed: position });
  return true;
}

/** Whether this file holds what `other` has read: it is a copy of it. */
export async function continues(file: FollowedFile, other: FollowedFile): Promise<boolean> {
  if (other.offset === 0) return false;
  const before = await bytesBefore(file.handle, other.offset);
  return before?.equals(other.before) === true;
}

/** Begins at `offset`, which may lie amid a line: as behind the limit of a long one, its rest is skipped. */
export async function skipTo(file: FollowedFile, offset: number): Promise<void> {
  const before = (await bytesBefore(file.handle, offset)) ?? Buffer.alloc(0);
  const committed = { offset, inLongLine: true, mark: digest(before) };
  Object.assign(file, { offset, inLongLine: true, before, committed });
}

/** Nothing changes when the file was truncated since: the mark would be that of other bytes. */
export async function commit({ file, end, open: inLongLine }: Line): Promise<void> {
  const mark = await bytesBefore(file.handle, end);
  const same = (await bytesBefore(file.handle, file.offset))?.equals(file.before);
  if (mark && same) file.committed = { offset: end, inLongLine, mark: digest(mark) };
}

function digest(bytes: Buffer): string {
  return bytes.length === 0 ? '' : createHash('sha256').update(bytes).digest('hex');
}

async function bytesBefore(handle: FileHandle, offset: number): Promise<Buffer | undefined> {
  const bytes = Buffer.alloc(Math.min(offset, MARK_BYTES));
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset - bytes.length);
  return bytesRead === bytes.length ? bytes : undefined;
}

export const newBuffer = (): Buffer => Buffer.alloc(MARK_BYTES + CHUNK);

/**
 * The next whole lines. What lies before them is read with them and compared, in one call: a file that was truncated
 * and has since grown past our position is found out too.
 * @returns undefined when the file is no longer what was read
 */
export async function readLines(file: FollowedFile, buffer: Buffer): Promise<Line[] | undefined> {
  const known = file.before.length;
  const { bytesRead } = await file.handle.read(buffer, 0, known + CHUNK, file.offset - known);
  if (bytesRead < known || !buffer.subarray(0, known).equals(file.before)) return undefined;
  const data = buffer.subarray(known, bytesRead);
  const { lines, used } = split(file, data);
  if (used > 0) {
    file.offset += used;
    file.before = Buffer.from(buffer.subarray(Math.max(0, known + used - MARK_BYTES), known + used));
  }
  return lines;
}

function split(file: FollowedFile, data: Buffer): { lines: Line[]; used: number } {
  const lines: Line[] = [];
  let used = 0;
  for (let lf = data.indexOf(10); lf >= 0 && lines.length < MOST_LINES; lf = data.indexOf(10, used)) {
    if (!file.inLongLine) lines.push(lineOf(file, data.subarray(used, lf), lf + 1, false));
    file.inLongLine = false;
    used = lf + 1;
  }
  if (lines.length >= MOST_LINES) return { lines, used };
  if (file.inLongLine) return { lines, used: data.length };
  if (used === 0 && data.length === CHUNK) {
    lines.push(lineOf(file, data, data.length, true));
    file.inLongLine = true;
    used = data.length;
  }
  return { lines, used };
}

/** What stands after the last LF of a file that nobody writes to any more. */
export async function lastLine(file: FollowedFile, buffer: Buffer): Promise<Line[]> {
  const { bytesRead } = await file.handle.read(buffer, 0, CHUNK, file.offset);
  if (bytesRead === 0 || file.inLongLine) return [];
  const line = lineOf(file, buffer.subarray(0, bytesRead), bytesRead, false);
  file.offset += bytesRead;
  file.before = (await bytesBefore(file.handle, file.offset)) ?? file.before;
  return [line];
}

function lineOf(file: FollowedFile, bytes: Buffer, length: number, open: boolean): Line {
  const cut = bytes.length > LONGEST_LINE;
  // A writer without O_APPEND leaves NULs where its file was truncated.
  const text = bytes.toString('utf8', 0, LONGEST_LINE).replaceAll('\0', '').replace(/\r$/, '');
  return { text, cut, file, end: file.offset + length, open };
}
