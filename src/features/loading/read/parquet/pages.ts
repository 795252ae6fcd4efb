import { closeSync, openSync, readSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { fail } from '#kernel/errors.ts';
import {
  createThriftReader,
  numberField,
  structField,
  structsField,
  ThriftFault,
  type ThriftStruct,
} from './thrift.ts';

/**
 * Checks a Parquet file's footer and every page header against each other before DuckDB sees it
 * (parquet-format, Metadata and Data Pages). DuckDB trusts sizes and counts: of the files that
 * lie about them it reads some as if they were sound, and is broken by others.
 * @throws corrupt_file saying what does not agree
 */
export function checkPages(path: string, size: number, footer_bytes: number): void {
  const descriptor = openSync(path, 'r');
  try {
    const footer_start = size - 8 - footer_bytes;
    const footer = readStruct(readAt(descriptor, footer_start, footer_bytes), 'footer');
    const levels = repetitionOfLeaves(structsField(footer, 2));
    for (const group of structsField(footer, 4)) {
      const group_rows = count(group, 3, 'row group');
      for (const [index, chunk] of structsField(group, 1).entries()) {
        checkChunk(descriptor, footer_start, structField(chunk, 3), {
          rows: group_rows,
          repeated: levels[index] !== 0,
        });
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function readStruct(buffer: Buffer, what: string): ThriftStruct {
  try {
    return createThriftReader(buffer).struct();
  } catch (error) {
    if (error instanceof RangeError) throw damaged(`the ${what} ends too early`);
    if (error instanceof ThriftFault) throw damaged(`the ${what} cannot be decoded (${error.message})`);
    throw error;
  }
}

function readAt(descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(descriptor, buffer, 0, length, offset));
}

function count(struct: ThriftStruct | undefined, id: number, what: string): number {
  const value = numberField(struct, id);
  if (value === undefined || value < 0) throw damaged(`a count in the ${what} is missing or negative`);
  return value;
}

/** For each leaf of the schema, in order, how many repeated fields are above or at it. */
function repetitionOfLeaves(elements: ThriftStruct[]): number[] {
  const levels: number[] = [];
  const open: { left: number; level: number }[] = [];
  for (const [index, element] of elements.entries()) {
    const parent = open.at(-1);
    if (parent) parent.left--;
    const level = (parent?.level ?? 0) + (index > 0 && numberField(element, 3) === 2 ? 1 : 0);
    const children = numberField(element, 5) ?? 0;
    if (children > 0) open.push({ left: children, level });
    else if (index > 0) levels.push(level);
    while (open.at(-1)?.left === 0) open.pop();
  }
  return levels;
}

interface Expected {
  rows: number;
  repeated: boolean;
}

function checkChunk(descriptor: number, end: number, meta: ThriftStruct | undefined, expected: Expected): void {
  if (!meta) return;
  const values = count(meta, 5, 'column chunk');
  if (!expected.repeated && values !== expected.rows) {
    throw damaged(`a column has ${values} values in a row group of ${expected.rows} rows`);
  }
  const data = count(meta, 9, 'column chunk');
  const dictionary = numberField(meta, 11) ?? 0;
  let offset = dictionary > 0 && dictionary < data ? dictionary : data;
  for (let seen = 0; seen < values; ) {
    const page = readPage(descriptor, offset, end);
    checkIndexes(descriptor, page, numberField(meta, 4) ?? 0);
    seen += page.values;
    if (seen > values) throw damaged(`pages hold more values than the ${values} of their column chunk`);
    offset = page.end;
  }
}

interface Page {
  header: ThriftStruct;
  start: number;
  end: number;
  /** Zero for dictionary pages. */
  values: number;
}

const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;
const DATA_PAGE_V2 = 3;
/** Headers carry statistics, which may be long texts. */
const HEADER_BYTES = [1024, 64 * 1024, 16 * 1024 * 1024];

function readPage(descriptor: number, offset: number, file_end: number): Page {
  const { header, length } = readHeader(descriptor, offset, file_end);
  const packed = count(header, 3, 'page header');
  count(header, 2, 'page header');
  const start = offset + length;
  if (start + packed > file_end) throw damaged(`a page of ${packed} bytes reaches beyond the data`);
  const page = { header, start, end: start + packed };
  const type = numberField(header, 1);
  if (type === DATA_PAGE) return { ...page, values: count(structField(header, 5), 1, 'page header') };
  if (type === DATA_PAGE_V2) {
    const v2 = structField(header, 8);
    const levels = count(v2, 5, 'page header') + count(v2, 6, 'page header');
    if (levels > packed) throw damaged('the levels of a page are longer than the page');
    return { ...page, values: count(v2, 1, 'page header') };
  }
  if (type === DICTIONARY_PAGE) count(structField(header, 7), 1, 'dictionary page');
  return { ...page, values: 0 };
}

function readHeader(descriptor: number, offset: number, file_end: number): { header: ThriftStruct; length: number } {
  if (offset < 4 || offset >= file_end) throw damaged('a page is said to be where no data is');
  for (const bytes of HEADER_BYTES) {
    const reader = createThriftReader(readAt(descriptor, offset, Math.min(bytes, file_end - offset)));
    try {
      const header = reader.struct();
      return { header, length: reader.offset };
    } catch (error) {
      if (error instanceof ThriftFault) throw damaged(`a page header cannot be decoded (${error.message})`);
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw damaged('a page header does not end');
}

const UNPACK: Record<number, (bytes: Buffer) => Buffer> = {
  0: (bytes) => bytes,
  2: (bytes) => gunzipSync(bytes),
  4: (bytes) => brotliDecompressSync(bytes),
  6: (bytes) => zstdDecompressSync(bytes),
};
const RLE_DICTIONARY = 8;
const PLAIN_DICTIONARY = 2;
/** Indexes of a page whose values are all the same take no more than a few bytes. */
const SUSPICIOUSLY_SHORT = 64;

/**
 * Dictionary indexes of no bits are one run of equal values; written as packed groups of zero bits their
 * header lies (Arrow's GH-43605, which crashed a reader). Up to eight values writers do pack so.
 */
function checkIndexes(descriptor: number, page: Page, codec: number): void {
  const v2 = structField(page.header, 8);
  const encoding = numberField(v2, 4);
  const unpack = UNPACK[v2?.get(7) === false ? 0 : codec];
  if (!v2 || !unpack || (encoding !== RLE_DICTIONARY && encoding !== PLAIN_DICTIONARY)) return;
  const start = page.start + (numberField(v2, 5) ?? 0) + (numberField(v2, 6) ?? 0);
  if (page.end - start > SUSPICIOUSLY_SHORT || page.end === start) return;
  let indexes: Buffer;
  try {
    indexes = unpack(readAt(descriptor, start, page.end - start));
  } catch {
    throw damaged('a page cannot be unpacked');
  }
  const [width = 0, run = 0, more = 0] = indexes;
  if (width > 32) throw damaged(`a page has dictionary indexes of ${width} bits`);
  if (width === 0 && (run & 1) === 1 && (run > 3 || more > 0)) {
    throw damaged('a page has packed dictionary indexes of no bits');
  }
}

function damaged(what: string): Error {
  return fail('corrupt_file', `The Parquet file is damaged: ${what}.`, {
    hint: 'Write the file again with the program that made it, or get it again from where it came.',
  });
}
