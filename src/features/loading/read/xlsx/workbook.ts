import { posix } from 'node:path';
import { fail } from '#kernel/errors.ts';
import type { Budget } from '../open/budget.ts';
import type { Zip, ZipEntry } from '../open/zip.ts';
import { GENERAL, type NumberFormat, numberFormat } from './formats.ts';
import type { SharedStrings } from './strings.ts';
import { parseXml, type XmlHandlers } from './xml.ts';

export interface Sheet {
  name: string;
  part: string;
  hidden: boolean;
}

export interface Workbook {
  sheets: Sheet[];
  date1904: boolean;
  /** The part with the shared strings; it may not be there. */
  strings: string;
  /** By style index (`s` of a cell). */
  formats: NumberFormat[];
}

/** Opens parts by name, whatever the case and slashes they were packed with. */
export interface Parts {
  has(name: string): boolean;
  /** How much of the workbook has been unpacked, 0 to 1. */
  progress(): number;
  /** False when there is no such part. */
  parse(name: string, handlers: XmlHandlers): Promise<boolean>;
}

export function createParts(zip: Zip, budget: Budget, max_value_bytes: number): Parts {
  const byName = new Map<string, ZipEntry>(zip.entries.map((entry) => [normal(entry.name), entry]));
  const total = zip.entries.reduce((sum, entry) => sum + entry.size, 1);
  let unpacked = 0;
  const meter: Budget = {
    take(bytes) {
      unpacked += bytes;
      budget.take(bytes);
    },
  };
  return {
    has: (name) => byName.has(normal(name)),
    progress: () => Math.min(1, unpacked / total),
    async parse(name, handlers) {
      const entry = byName.get(normal(name));
      if (!entry) return false;
      await parseXml(name, await zip.read(entry), meter, max_value_bytes, handlers);
      return true;
    },
  };
}

function normal(name: string): string {
  return name.replaceAll('\\', '/').replace(/^\//, '').toLowerCase();
}

/** Reads what the sheets need: their names and parts, the epoch, the number formats. Missing parts are defaults, as in Excel. */
export async function readWorkbook(parts: Parts): Promise<Workbook> {
  const part = await workbookPart(parts);
  const found: { name: string; id: string; hidden: boolean }[] = [];
  let date1904 = false;
  await parts.parse(part, {
    open(name, attributes) {
      // An extension has an element of the same name, without the attribute.
      if (name === 'workbookPr') date1904 ||= isTrue(attributes['date1904']);
      if (name === 'sheet') {
        const hidden = /hidden/i.test(attributes['state'] ?? '');
        found.push({ name: attributes['name'] ?? `Sheet${found.length + 1}`, id: relationId(attributes), hidden });
      }
    },
  });
  const relations = await relationsOf(parts, part);
  const sheets: Sheet[] = [];
  for (const [index, { name, id, hidden }] of found.entries()) {
    const relation = relations.get(id);
    if (relation && !relation.type.endsWith('/worksheet')) continue;
    const sheet_part = relation?.target ?? posix.join(posix.dirname(part), `worksheets/sheet${index + 1}.xml`);
    if (parts.has(sheet_part)) sheets.push({ name, part: sheet_part, hidden });
  }
  const styles = target(relations, '/styles') ?? posix.join(posix.dirname(part), 'styles.xml');
  const strings = target(relations, '/sharedStrings') ?? posix.join(posix.dirname(part), 'sharedStrings.xml');
  return { sheets, date1904, strings, formats: await readFormats(parts, styles) };
}

async function workbookPart(parts: Parts): Promise<string> {
  const part = target(await relationsOf(parts, ''), '/officeDocument') ?? 'xl/workbook.xml';
  if (parts.has(part)) return part;
  if (parts.has('xl/workbook.xml')) return 'xl/workbook.xml';
  throw fail('corrupt_file', 'The workbook lacks its main part.', {
    hint: 'Open it in Excel or LibreOffice, let it be repaired, save it as a new .xlsx, and upload that.',
  });
}

function relationId(attributes: Record<string, string>): string {
  const key = Object.keys(attributes).find((name) => name === 'r:id' || name.endsWith(':id'));
  return key === undefined ? '' : (attributes[key] ?? '');
}

interface Relation {
  type: string;
  target: string;
}

async function relationsOf(parts: Parts, part: string): Promise<Map<string, Relation>> {
  const directory = part === '' ? '' : posix.dirname(part);
  const relations = new Map<string, Relation>();
  await parts.parse(posix.join(directory, '_rels', `${posix.basename(part)}.rels`), {
    open(name, attributes) {
      const path = attributes['Target'];
      if (name !== 'Relationship' || path === undefined || attributes['TargetMode'] === 'External') return;
      const absolute = path.startsWith('/') ? path.slice(1) : posix.join(directory, path);
      relations.set(attributes['Id'] ?? '', { type: attributes['Type'] ?? '', target: absolute });
    },
  });
  return relations;
}

function target(relations: Map<string, Relation>, type: string): string | undefined {
  return [...relations.values()].find((relation) => relation.type.endsWith(type))?.target;
}

async function readFormats(parts: Parts, part: string): Promise<NumberFormat[]> {
  const custom = new Map<number, string>();
  const ids: number[] = [];
  let in_cell_formats = false;
  await parts.parse(part, {
    open(name, attributes) {
      if (name === 'numFmt') custom.set(Number(attributes['numFmtId']), attributes['formatCode'] ?? '');
      else if (name === 'cellXfs') in_cell_formats = true;
      else if (name === 'xf' && in_cell_formats) ids.push(Number(attributes['numFmtId'] ?? 0));
    },
    close(name) {
      if (name === 'cellXfs') in_cell_formats = false;
    },
  });
  const parsed = new Map<number, NumberFormat>();
  return ids.map((id) => {
    const format = parsed.get(id) ?? numberFormat(id, custom);
    parsed.set(id, format);
    return format;
  });
}

export function formatAt(formats: NumberFormat[], style: string | undefined): NumberFormat {
  return style === undefined ? GENERAL : (formats[Number(style)] ?? GENERAL);
}

function isTrue(text: string | undefined): boolean {
  return text === '1' || text === 'true' || text === 'on';
}

/** Loads the shared strings: rich text runs are joined, phonetic readings left out. */
export async function readSharedStrings(parts: Parts, part: string, strings: SharedStrings): Promise<void> {
  let text = '';
  let in_text = false;
  let phonetic = false;
  await parts.parse(part, {
    open(name) {
      if (name === 'si') text = '';
      else if (name === 't') in_text = !phonetic;
      else if (name === 'rPh') phonetic = true;
    },
    close(name) {
      if (name === 'si') strings.add(unescaped(text));
      else if (name === 't') in_text = false;
      else if (name === 'rPh') phonetic = false;
    },
    text(more) {
      if (in_text) text += more;
    },
  });
}

/** Excel writes characters that XML cannot hold as `_x000B_` (ECMA-376 part 1, 22.4.2.4). */
export function unescaped(text: string): string {
  if (!text.includes('_x')) return text;
  return text
    .replace(/_x([0-9a-fA-F]{4})_/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .toWellFormed();
}
