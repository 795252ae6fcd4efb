import { closeSync, openSync, readSync } from 'node:fs';
import { fail } from '#kernel/errors.ts';
import type { OpenedFile } from '../reader.ts';

/**
 * What an OLE2 compound file ([MS-CFB]) is, by the names in its directory: a workbook
 * of before 2007, or a newer one inside an encryption envelope ([MS-OFFCRYPTO]).
 */
export function oleError(file: OpenedFile, head: Buffer): Error {
  const names = directoryNames(file, head);
  if (names.has('EncryptedPackage') || names.has('EncryptionInfo')) {
    return fail('encrypted_file', 'The workbook is protected by a password.', {
      hint: 'Open it in Excel, remove the password (File → Info → Protect Workbook), save, and upload it again.',
    });
  }
  if (names.has('Workbook') || names.has('Book') || /\.xls$/i.test(file.filename)) {
    return fail(
      'legacy_xls',
      'The file is a workbook in the old .xls format (Excel 97–2003), which is not supported.',
      {
        hint: 'Open it in Excel or LibreOffice, save it as .xlsx or .csv, and upload that.',
      },
    );
  }
  return fail('unsupported_format', 'The file is an old Office document or installer, which is not supported.', {
    hint: 'Export the table as .xlsx or .csv and upload that.',
  });
}

const ENTRY_BYTES = 128;
const DIRECTORY_SECTORS = 8;

function directoryNames(file: OpenedFile, head: Buffer): Set<string> {
  const names = new Set<string>();
  if (head.length < 512) return names;
  const sector_bytes = 1 << Math.min(head.readUInt16LE(30), 12);
  // The directory's sectors need not be neighbours, but programs write the few of a new file so.
  const sector = Buffer.alloc(DIRECTORY_SECTORS * sector_bytes);
  const descriptor = openSync(file.path, 'r');
  try {
    readSync(descriptor, sector, 0, sector.length, (head.readUInt32LE(48) + 1) * sector_bytes);
  } finally {
    closeSync(descriptor);
  }
  for (let at = 0; at + ENTRY_BYTES <= sector.length; at += ENTRY_BYTES) {
    const length = Math.min(sector.readUInt16LE(at + 64), 64) - 2;
    if (length > 0) names.add(sector.toString('utf16le', at, at + length));
  }
  return names;
}
