import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import bitIterator from 'unbzip2-stream/lib/bit_iterator.js';
import bzip2 from 'unbzip2-stream/lib/bzip2.js';
import { fail } from '#kernel/errors.ts';
import type { Budget } from './budget.ts';

const CHUNK = 256 * 1024;

/**
 * Unpacks a bzip2 file of one or many streams. The package's own stream is not used: it gathers a block
 * in an array of numbers, and a block of a bomb is 46 MB unpacked. Its decoder is pulled here
 * byte by byte into one buffer: memory stays flat and the budget is asked every 256 KiB.
 * @throws truncated_file, corrupt_file, decompression_bomb
 */
export async function unpackBzip2(source: string, size: number, target: string, budget: Budget): Promise<void> {
  const input = openSync(source, 'r');
  const output = openSync(target, 'wx', 0o600);
  try {
    await decode(input, size, createSink(output, budget));
  } finally {
    closeSync(input);
    closeSync(output);
  }
}

interface Sink {
  push(byte: number): void;
  flush(): void;
}

function createSink(output: number, budget: Budget): Sink {
  const buffer = Buffer.allocUnsafe(CHUNK);
  let length = 0;
  const flush = (): void => {
    budget.take(length);
    let written = 0;
    while (written < length) written += writeSync(output, buffer, written, length - written);
    length = 0;
  };
  return {
    push(byte) {
      buffer[length++] = byte;
      if (length === CHUNK) flush();
    },
    flush,
  };
}

async function decode(input: number, size: number, sink: Sink): Promise<void> {
  const bits = bitIterator(() => nextChunk(input));
  while (bits.bytesRead < size && (bits.bytesRead === 0 || isStream(input, bits.bytesRead))) {
    const level = guarded(() => bzip2.header(bits));
    const block = new Int32Array(100_000 * level);
    let crc: number | null = 0;
    while (crc !== null) {
      const previous: number = crc;
      crc = guarded(() => bzip2.decompress(bits, sink.push, block, block.length, previous));
      await setImmediate();
    }
  }
  sink.flush();
}

function nextChunk(input: number): Buffer {
  const buffer = Buffer.allocUnsafe(CHUNK);
  const read = readSync(input, buffer, 0, CHUNK, null);
  if (read === 0) {
    throw fail('truncated_file', 'The bzip2 data ends in the middle of a block.', {
      hint: 'The upload or the download before it was probably cut off; get the file again.',
    });
  }
  return buffer.subarray(0, read);
}

/** Whether another stream begins here; anything else after a whole stream is trailing garbage. */
function isStream(input: number, offset: number): boolean {
  const head = Buffer.alloc(3);
  return readSync(input, head, 0, 3, offset) === 3 && head.toString('latin1') === 'BZh';
}

/** The decoder's own errors have playful texts; people get one that says what to do. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof bzip2.Bzip2Error) && !(error instanceof TypeError)) throw error;
    const reason =
      error instanceof Error && error.message.includes('crc32') ? 'a checksum does not match' : 'a block is damaged';
    throw fail('corrupt_file', `The bzip2 data cannot be unpacked: ${reason}.`, {
      hint: 'Test the file with `bzip2 -t`, and get it again from where it came.',
      cause: error,
    });
  }
}
