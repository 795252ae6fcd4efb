import { makeZip, type ZipPart } from './zip.ts';

export interface SheetXml {
  name: string;
  /** What stands in `<sheetData>`. */
  rows: string;
  state?: 'hidden' | 'veryHidden';
}

export interface WorkbookParts {
  sheets: SheetXml[];
  date1904?: boolean;
  strings?: string[];
  /** Format codes; style index n (from 1) uses the nth. */
  formats?: string[];
  /** Parts to add, or to put in the place of generated ones. */
  extra?: ZipPart[];
  /** Parts to leave out. */
  without?: string[];
}

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"';
const RELATIONS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

/** A small workbook, as Excel would write it. */
export function makeWorkbook(parts: WorkbookParts): Buffer {
  const sheets = parts.sheets.map(
    (sheet, index) =>
      `<sheet name="${xml(sheet.name)}" sheetId="${index + 1}" r:id="rId${index + 1}"${sheet.state ? ` state="${sheet.state}"` : ''}/>`,
  );
  const relations = parts.sheets.map(
    (_, index) =>
      `<Relationship Id="rId${index + 1}" Type="${RELATIONS}/worksheet" Target="worksheets/sheet${index + 1}.xml"/>`,
  );
  const all: ZipPart[] = [
    { name: '[Content_Types].xml', content: `${HEAD}<Types/>` },
    {
      name: '_rels/.rels',
      content: `${HEAD}<Relationships><Relationship Id="rId1" Type="${RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    },
    {
      name: 'xl/workbook.xml',
      content: `${HEAD}<workbook ${MAIN} xmlns:r="${RELATIONS}"><workbookPr${parts.date1904 ? ' date1904="1"' : ''}/><sheets>${sheets.join('')}</sheets></workbook>`,
    },
    { name: 'xl/_rels/workbook.xml.rels', content: `${HEAD}<Relationships>${relations.join('')}</Relationships>` },
    { name: 'xl/styles.xml', content: styles(parts.formats ?? []) },
    {
      name: 'xl/sharedStrings.xml',
      content: `${HEAD}<sst ${MAIN}>${(parts.strings ?? []).map((text) => `<si><t>${xml(text)}</t></si>`).join('')}</sst>`,
    },
    ...parts.sheets.map((sheet, index) => ({
      name: `xl/worksheets/sheet${index + 1}.xml`,
      content: `${HEAD}<worksheet ${MAIN}><sheetData>${sheet.rows}</sheetData></worksheet>`,
    })),
  ];
  const replaced = new Set((parts.extra ?? []).map((part) => part.name));
  const kept = all.filter((part) => !replaced.has(part.name) && !parts.without?.includes(part.name));
  return makeZip([...kept, ...(parts.extra ?? [])]);
}

function styles(formats: string[]): string {
  const codes = formats.map((code, index) => `<numFmt numFmtId="${164 + index}" formatCode="${xml(code)}"/>`);
  const cells = formats.map((_, index) => `<xf numFmtId="${164 + index}"/>`);
  return `${HEAD}<styleSheet ${MAIN}><numFmts>${codes.join('')}</numFmts><cellXfs><xf numFmtId="0"/>${cells.join('')}</cellXfs></styleSheet>`;
}

export function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** A row of cells: texts inline, numbers, booleans; null leaves a cell out; `[style, value]` is a styled number. */
export function row(
  line: number,
  cells: (string | number | boolean | null | [style: number, value: number])[],
): string {
  const written = cells.map((cell, index) => {
    const reference = `${String.fromCharCode(65 + index)}${line}`;
    if (cell === null) return '';
    if (Array.isArray(cell)) return `<c r="${reference}" s="${cell[0]}"><v>${cell[1]}</v></c>`;
    if (typeof cell === 'number') return `<c r="${reference}"><v>${cell}</v></c>`;
    if (typeof cell === 'boolean') return `<c r="${reference}" t="b"><v>${cell ? 1 : 0}</v></c>`;
    return `<c r="${reference}" t="inlineStr"><is><t>${xml(cell)}</t></is></c>`;
  });
  return `<row r="${line}">${written.join('')}</row>`;
}
