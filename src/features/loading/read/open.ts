import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadRequest } from '#contract/load.ts';
import { extensionOf, isLoadable } from '#contract/loadable.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { createBudget } from './open/budget.ts';
import { unpackBzip2 } from './open/bzip2.ts';
import { type Container, containerOf, readHead } from './open/magic.ts';
import { unpackGzip, unpackZstd } from './open/unpack.ts';
import { extract, openZip, type Zip, type ZipEntry } from './open/zip.ts';
import { zipKind } from './open/zip-kind.ts';
import type { OpenedFile } from './reader.ts';

/**
 * The file, or the files inside it, unpacked on local disk. Containers are recognised by content:
 * gzip, zstd, bzip2, and zip with one or many entries. One layer is unpacked; a workbook counts as a
 * file, not as an archive, wherever it is found.
 * @throws empty_file, truncated_file, corrupt_file, encrypted_file, decompression_bomb, no_table, unsupported_format
 */
export async function openFile(request: ReadRequest, temp_dir: string): Promise<OpenedFile[]> {
  const { size } = await stat(request.path);
  if (size === 0) throw fail('empty_file', 'The file is empty: it has no bytes at all.');
  const container = containerOf(await readHead(request.path, 64));
  if (container === undefined) return [{ path: request.path, size, filename: request.filename }];
  if (container !== 'zip') return [await unpackSingle(request, container, size, temp_dir)];
  const zip = await openZip(request.path, size);
  try {
    if ((await zipKind(zip)) !== 'archive') return [{ path: request.path, size, filename: request.filename }];
    return await unpackEntries(request, zip, size, temp_dir);
  } finally {
    zip.close();
  }
}

async function unpackSingle(
  request: ReadRequest,
  container: Exclude<Container, 'zip'>,
  size: number,
  temp_dir: string,
): Promise<OpenedFile> {
  const target = join(temp_dir, newId());
  const budget = () => createBudget(size, request.limits);
  if (container === 'gzip') await unpackGzip(request.path, target, budget);
  if (container === 'zstd') await unpackZstd(request.path, size, target, budget());
  if (container === 'bzip2') await unpackBzip2(request.path, size, target, budget());
  const unpacked = await stat(target);
  if (unpacked.size === 0) throw fail('empty_file', 'The file is empty once unpacked.');
  const filename = request.filename.replace(/\.(gz|gzip|zst|zstd|bz2)$/i, '');
  const file: OpenedFile = { path: target, size: unpacked.size, filename, compression: container };
  await refuseNested(file, filename);
  return file;
}

/** A workbook is a zip by construction; any other container inside a container is refused. */
async function refuseNested(file: OpenedFile, name: string): Promise<void> {
  const inner = containerOf(await readHead(file.path, 64));
  if (inner === undefined) return;
  if (inner === 'zip') {
    const zip = await openZip(file.path, file.size);
    try {
      if ((await zipKind(zip)) !== 'archive') return;
    } finally {
      zip.close();
    }
  }
  throw fail('unsupported_format', `“${name}” is itself packed (${inner}): archives within archives are not opened.`, {
    hint: 'Unpack the outer archive and upload what is inside.',
  });
}

async function unpackEntries(request: ReadRequest, zip: Zip, size: number, temp_dir: string): Promise<OpenedFile[]> {
  const chosen = chooseEntries(zip.entries, request.options.entry);
  const budget = createBudget(size, request.limits);
  const files: OpenedFile[] = [];
  for (const entry of chosen) {
    const target = join(temp_dir, newId());
    await extract(zip, entry, target, budget);
    const filename = harmlessName(entry.name);
    const file: OpenedFile = { path: target, name: entry.name, size: entry.size, filename, compression: 'zip' };
    await refuseNested(file, entry.name);
    if (entry.size > 0 || chosen.length === 1) files.push(file);
  }
  if (files.every((file) => file.size === 0)) throw fail('empty_file', 'The files in the archive are empty.');
  return files;
}

function chooseEntries(entries: ZipEntry[], wanted: string | undefined): ZipEntry[] {
  const files = entries.filter((entry) => isFile(entry.name));
  if (wanted !== undefined) {
    const found = files.find((entry) => entry.name === wanted);
    if (found) return [found];
    throw fail('no_table', `The archive has no entry “${wanted}”.`, { hint: `It has: ${listed(files)}.` });
  }
  // A read-me beside the data is company, alone it is the file.
  const tables = files.filter((entry) => isLoadable(entry.name) && !isCompany(entry.name));
  const chosen = tables.length > 0 ? tables : files;
  if (chosen.length === 0) throw fail('no_table', 'The archive holds no files.');
  return chosen;
}

/** No directory, no resource fork of macOS, no dot file. */
function isFile(name: string): boolean {
  const parts = name.split(/[\\/]/);
  const last = parts.at(-1) ?? '';
  return (
    last !== '' && !last.startsWith('.') && !parts.includes('__MACOSX') && !/^(thumbs\.db|desktop\.ini)$/i.test(last)
  );
}

function isCompany(name: string): boolean {
  const last = harmlessName(name);
  return /^(read[-_ ]?me|licen[cs]e|changelog|notice)\b/i.test(last) && /^(|txt)$/.test(extensionOf(last));
}

function listed(entries: ZipEntry[]): string {
  const names = entries.slice(0, 10).map((entry) => `“${entry.name}”`);
  return names.join(', ') + (entries.length > 10 ? ` and ${entries.length - 10} more` : '');
}

/** The last part of an entry's name, without control characters: a hint for format and title only. */
function harmlessName(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? name;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return last.replaceAll(/[\u0000-\u001f\u007f]/g, '');
}
