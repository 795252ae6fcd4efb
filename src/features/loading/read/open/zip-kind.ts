import { text } from 'node:stream/consumers';
import { fail } from '#kernel/errors.ts';
import type { Zip } from './zip.ts';

const EXPORT = 'Save it as .xlsx or .csv and upload that.';

/**
 * What a zip is: an Excel workbook (ECMA-376), or an archive of files.
 * @throws unsupported_format for other documents that are zips underneath
 */
export async function zipKind(zip: Zip): Promise<'workbook' | 'archive'> {
  const names = new Set(zip.entries.map((entry) => entry.name.replaceAll('\\', '/').replace(/^\//, '').toLowerCase()));
  if ([...names].some((name) => name.startsWith('xl/worksheets/') || /^xl\/workbook\d*\.xml$/.test(name)))
    return 'workbook';
  if (names.has('xl/workbook.bin')) throw unsupported('a binary workbook (.xlsb)');
  if (names.has('word/document.xml')) throw unsupported('a Word document');
  if (names.has('ppt/presentation.xml')) throw unsupported('a presentation');
  const mimetype = zip.entries.find((entry) => entry.name === 'mimetype' && entry.size < 200);
  if (mimetype) {
    const kind = (await text(await zip.read(mimetype))).trim();
    if (kind.startsWith('application/vnd.oasis.opendocument')) {
      throw unsupported(kind.includes('spreadsheet') ? 'an OpenDocument spreadsheet (.ods)' : 'an OpenDocument file');
    }
    if (kind === 'application/epub+zip') throw unsupported('an e-book');
  }
  return 'archive';
}

function unsupported(what: string): Error {
  return fail('unsupported_format', `The file is ${what}, which is not supported.`, { hint: EXPORT });
}
