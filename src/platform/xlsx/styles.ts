import { MAIN, XML } from './parts.ts';

const DATE = 164;
const TIMESTAMP = 165;
const AMOUNT = 166;
/** Built in: General, h:mm:ss, @, #,##0. */
const [GENERAL, TIME, TEXT, INTEGER] = [0, 21, 49, 3];
const FONT = { plain: 0, bold: 1, link: 2 };
const BORDER = { none: 0, above: 1, below: 2 };

/** Order as in `STYLE` of cells.ts: each as it is, then as in a line of totals. */
const FORMATS: { format: number; font?: number; border?: number; quotePrefix?: boolean }[] = [
  { format: GENERAL },
  { format: GENERAL, font: FONT.bold, border: BORDER.below },
  { format: DATE },
  { format: TIMESTAMP },
  { format: TIME },
  { format: TEXT, quotePrefix: true },
  { format: INTEGER },
  { format: AMOUNT },
  { format: GENERAL, font: FONT.link },
];

function xf(format: number, font: number, border: number, quotePrefix: boolean): string {
  const prefix = quotePrefix ? ' quotePrefix="1"' : '';
  return `<xf numFmtId="${format}" fontId="${font}" fillId="0" borderId="${border}" applyNumberFormat="1" applyFont="1" applyBorder="1"${prefix}/>`;
}

const CELL_FORMATS = FORMATS.flatMap(({ format, font = FONT.plain, border = BORDER.none, quotePrefix = false }) => [
  xf(format, font, border, quotePrefix),
  xf(format, FONT.bold, BORDER.above, quotePrefix),
]);

function numberFormat(id: number, code: string): string {
  return `<numFmt numFmtId="${id}" formatCode="${code}"/>`;
}

function font(more: string): string {
  return `<font>${more}<sz val="11"/><name val="Calibri"/></font>`;
}

const NUMBER_FORMATS = [
  numberFormat(DATE, 'yyyy\\-mm\\-dd'),
  numberFormat(TIMESTAMP, 'yyyy\\-mm\\-dd\\ hh:mm:ss'),
  numberFormat(AMOUNT, '#,##0.00####'),
];
const FONTS = [font(''), font('<b/>'), '<font><u/><sz val="11"/><color rgb="FF1F5FA8"/><name val="Calibri"/></font>'];
const BORDERS = [
  '<border><left/><right/><top/><bottom/><diagonal/></border>',
  '<border><left/><right/><top style="thin"><color auto="1"/></top><bottom/><diagonal/></border>',
  '<border><left/><right/><top/><bottom style="thin"><color rgb="FFB0B7BF"/></bottom><diagonal/></border>',
];

export const STYLES = [
  `${XML}<styleSheet xmlns="${MAIN}">`,
  `<numFmts count="${NUMBER_FORMATS.length}">${NUMBER_FORMATS.join('')}</numFmts>`,
  `<fonts count="${FONTS.length}">${FONTS.join('')}</fonts>`,
  '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>',
  `<borders count="${BORDERS.length}">${BORDERS.join('')}</borders>`,
  `<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>`,
  `<cellXfs count="${CELL_FORMATS.length}">${CELL_FORMATS.join('')}</cellXfs>`,
  '</styleSheet>',
].join('');
