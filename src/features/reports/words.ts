/** What a report says, in the languages of the console. */
export const LOCALES = ['en', 'es'] as const;
export type Locale = (typeof LOCALES)[number];

export interface Words {
  summary: string;
  detail: string;
  provenance: string;
  count: string;
  total: string;
  totalOf: (column: string) => string;
  empty: string;
  what: string;
  value: string;
  dataset: string;
  version: string;
  versionOf: string;
  query: string;
  filters: string;
  none: string;
  groupedBy: string;
  normalized: string;
  yes: string;
  no: string;
  rows: string;
  groups: string;
  matching: string;
  truncated: string;
  truncatedTo: (rows: number, all: number) => string;
  madeAt: string;
  madeBy: string;
  trace: string;
  task: string;
  program: string;
  note: string;
  longNumbers: (columns: string) => string;
}

export const WORDS: Record<Locale, Words> = {
  en: {
    summary: 'Summary',
    detail: 'Detail',
    provenance: 'Provenance',
    count: 'Count',
    total: 'Total',
    totalOf: (column) => `Total ${column}`,
    empty: '(empty)',
    what: 'What',
    value: 'Value',
    dataset: 'Dataset',
    version: 'Dataset version',
    versionOf: 'Version committed at',
    query: 'Query',
    filters: 'Filters',
    none: 'none',
    groupedBy: 'Grouped by',
    normalized: 'Accents, case and blanks ignored in groups',
    yes: 'yes',
    no: 'no',
    rows: 'Rows in this report',
    groups: 'Groups',
    matching: 'Rows that match',
    truncated: 'Truncated',
    truncatedTo: (rows, all) => `yes: the first ${rows} of ${all} rows`,
    madeAt: 'Made at (UTC)',
    madeBy: 'Made by',
    trace: 'Trace id',
    task: 'Task id',
    program: 'Program',
    note: 'Note',
    longNumbers: (columns) =>
      `Numbers with more digits than Excel keeps are text in ${columns}; their totals are exact and no formulas.`,
  },
  es: {
    summary: 'Resumen',
    detail: 'Detalle',
    provenance: 'Procedencia',
    count: 'Cantidad',
    total: 'Total',
    totalOf: (column) => `Total ${column}`,
    empty: '(vacío)',
    what: 'Qué',
    value: 'Valor',
    dataset: 'Conjunto de datos',
    version: 'Versión de los datos',
    versionOf: 'Versión confirmada el',
    query: 'Consulta',
    filters: 'Filtros',
    none: 'ninguno',
    groupedBy: 'Agrupado por',
    normalized: 'Sin distinguir tildes, mayúsculas ni espacios',
    yes: 'sí',
    no: 'no',
    rows: 'Filas en este informe',
    groups: 'Grupos',
    matching: 'Filas que cumplen',
    truncated: 'Recortado',
    truncatedTo: (rows, all) => `sí: las primeras ${rows} de ${all} filas`,
    madeAt: 'Hecho el (UTC)',
    madeBy: 'Hecho por',
    trace: 'Id de la traza',
    task: 'Id de la tarea',
    program: 'Programa',
    note: 'Nota',
    longNumbers: (columns) =>
      `Los números con más cifras de las que Excel guarda son texto en ${columns}; sus totales son exactos y no son fórmulas.`,
  },
};
