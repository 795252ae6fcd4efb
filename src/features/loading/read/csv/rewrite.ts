import { closeSync, openSync, writeSync } from 'node:fs';
import { type Cells, cellText, type Dialect } from './grammar.ts';

/** The dialect of a rewritten file: the original's where that is unambiguous, RFC 4180 otherwise. */
export function rewrittenDialect(dialect: Dialect): { delimiter: string; quote: string; escape: string } {
  const single = Buffer.byteLength(dialect.delimiter) === 1;
  const doubled = dialect.quote !== '' && dialect.escape === dialect.quote;
  if (single && doubled && !dialect.skip_space) {
    return { delimiter: dialect.delimiter, quote: dialect.quote, escape: dialect.quote };
  }
  return { delimiter: ',', quote: '"', escape: '"' };
}

export interface Rewriter {
  path: string;
  rows: number;
  bytes: number;
  /** Bytes of the longest row written. */
  longest: number;
  write(line: number, buffer: Buffer, from: number, cells: Cells, width: number): void;
  close(): void;
}

const BUFFER = 1 << 20;

/**
 * Writes records as `line<delimiter>record\n`, so that the second reader has no freedom left. Most
 * are copied as they are; only what another reader could take differently is quoted anew.
 */
export function openRewriter(path: string, dialect: Dialect): Rewriter {
  const file = openSync(path, 'w');
  const target = rewrittenDialect(dialect);
  const copyable = target.escape === dialect.escape && target.delimiter === dialect.delimiter;
  const out = Buffer.allocUnsafe(BUFFER);
  const special = new RegExp(`[\\r\\n\\0 ${target.quote}${target.delimiter.replace(/[\\^\]|-]/g, '\\$&')}]`);
  let used = 0;
  const flush = () => {
    let done = 0;
    while (done < used) done += writeSync(file, out, done, used - done);
    used = 0;
  };
  const append = (bytes: Buffer) => {
    if (bytes.length > BUFFER - used) flush();
    if (bytes.length > BUFFER) {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      return;
    }
    bytes.copy(out, used);
    used += bytes.length;
  };
  const encode = (buffer: Buffer, cells: Cells, width: number): string => {
    const parts: string[] = [];
    for (let index = 0; index < width; index += 1) {
      const text = index < cells.count ? cellText(buffer, cells, index, dialect) : '';
      const quote = special.test(text);
      parts.push(
        quote ? target.quote + text.replaceAll(target.quote, target.quote + target.quote) + target.quote : text,
      );
    }
    return parts.join(target.delimiter);
  };
  return {
    path,
    rows: 0,
    bytes: 0,
    longest: 0,
    write(line, buffer, from, cells, width) {
      const prefix = `${line}${target.delimiter}`;
      if (used + prefix.length + 1 > BUFFER) flush();
      used += out.write(prefix, used, 'latin1');
      const asIs = copyable && !cells.odd && cells.count === width;
      const record = asIs ? buffer.subarray(from, cells.end) : Buffer.from(encode(buffer, cells, width));
      append(record);
      if (used + 1 > BUFFER) flush();
      out[used] = 10;
      used += 1;
      this.rows += 1;
      const length = record.length + prefix.length + 1;
      this.bytes += length;
      if (length > this.longest) this.longest = length;
    },
    close() {
      flush();
      closeSync(file);
    },
  };
}
