import type { FileHandle } from 'node:fs/promises';
import { fail } from '#kernel/errors.ts';
import { isZstdFrame } from './magic.ts';

export interface Frame {
  start: number;
  /** Exclusive. */
  end: number;
}

/**
 * The data frames of a zstd file by their block headers (RFC 8878, 3.1.1), skippable frames left out.
 * Node's decompressor stops in silence after the first frame of several (v24), so they are found here and
 * handed to it one by one. What follows the last frame and is none is trailing garbage: not a frame.
 * @throws truncated_file
 */
export async function* zstdFrames(handle: FileHandle, size: number): AsyncGenerator<Frame> {
  let offset = 0;
  while (offset < size) {
    const head = await readAt(handle, offset, 18);
    if (!isZstdFrame(head)) return;
    if (head.readUInt32LE(0) !== 0xfd2fb528) {
      offset += 8 + need(head, 8).readUInt32LE(4);
      if (offset > size) throw tooShort();
      continue;
    }
    const end = await frameEnd(handle, offset, head);
    if (end > size) throw tooShort();
    yield { start: offset, end };
    offset = end;
  }
}

async function frameEnd(handle: FileHandle, start: number, head: Buffer): Promise<number> {
  const descriptor = need(head, 6)[4] ?? 0;
  const single_segment = (descriptor & 0x20) !== 0;
  const content_size = [single_segment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  let offset = start + 5 + (single_segment ? 0 : 1) + dictionary + content_size;
  for (;;) {
    const block = need(await readAt(handle, offset, 3), 3).readUIntLE(0, 3);
    const type = (block >> 1) & 3;
    offset += 3 + (type === 1 ? 1 : block >> 3);
    if (block & 1) return offset + (descriptor & 4 ? 4 : 0);
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

function need(buffer: Buffer, length: number): Buffer {
  if (buffer.length < length) throw tooShort();
  return buffer;
}

function tooShort(): Error {
  return fail('truncated_file', 'The zstd data ends in the middle of a frame.', {
    hint: 'The upload or the download before it was probably cut off; get the file again.',
  });
}
