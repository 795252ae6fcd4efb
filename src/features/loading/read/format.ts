import { extensionOf } from '#contract/loadable.ts';
import type { ReaderOptions } from '#contract/reader-options.ts';
import { fail } from '#kernel/errors.ts';
import { looksLikeJson } from './json/looks-like.ts';
import { containerOf, foreignKind, readHead } from './open/magic.ts';
import { oleError } from './open/ole.ts';
import type { OpenedFile } from './reader.ts';

export type Format = NonNullable<ReaderOptions['format']>;

const EXPORT = 'Save it as .csv or .xlsx and upload that.';

/**
 * What an unpacked file is: by its content; where text could be several things, by its name too.
 * `options.format` overrides it for text, never for what is plainly not readable as a table.
 * @throws empty_file, encrypted_file, legacy_xls, unsupported_format
 */
export async function formatOf(file: OpenedFile, options: ReaderOptions): Promise<Format> {
  if (file.size === 0) throw fail('empty_file', 'The file is empty: it has no bytes at all.');
  const head = await readHead(file.path);
  return binaryFormat(file, head) ?? options.format ?? textFormat(file, head);
}

function binaryFormat(file: OpenedFile, head: Buffer): Format | undefined {
  const magic = head.toString('latin1', 0, 4);
  if (magic === 'PAR1') return 'parquet';
  if (magic === 'PARE') {
    throw fail('encrypted_file', 'The Parquet file is encrypted.', {
      hint: 'Write it without encryption and upload that.',
    });
  }
  // A zip that is still one here is a workbook: the opener unpacks the others.
  if (containerOf(head) === 'zip') return 'xlsx';
  if (magic === '\xd0\xcf\x11\xe0') throw oleError(file, head);
  const foreign = foreignKind(head);
  if (foreign) {
    throw fail('unsupported_format', `The file is ${foreign.what}, which is not supported.`, { hint: foreign.hint });
  }
  if (/^(parquet|pq|xlsx|xlsm)$/.test(extensionOf(file.filename))) return misnamed(file, head);
  return undefined;
}

/** A text under the name of a binary format is read as the text it is; binary rubbish is not. */
function misnamed(file: OpenedFile, head: Buffer): undefined {
  if (!head.includes(0)) return undefined;
  throw fail('corrupt_file', `The file is named “${file.filename}”, but does not begin as such a file does.`, {
    hint: EXPORT,
  });
}

function textFormat(file: OpenedFile, head: Buffer): Format {
  const extension = extensionOf(file.filename);
  const json = looksLikeJson(head, file.size <= head.length);
  if (extension === 'ndjson' || extension === 'jsonl') {
    // A document spread over lines has nothing but a bracket on its first.
    return json === 'json' && /^\s*(\[|\{\s*\n)/.test(head.toString('latin1', 0, 200)) ? 'json' : 'ndjson';
  }
  if (extension === 'json' || extension === 'geojson') return json ?? 'json';
  if (json) return json;
  return extension === 'tsv' || extension === 'tab' ? 'tsv' : 'csv';
}
