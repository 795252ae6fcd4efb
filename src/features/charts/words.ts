import type { ChartData } from './chart-data.ts';
import type { ChartRequest } from './chart-request.ts';

interface Words {
  empty: string;
  yes: string;
  no: string;
  rest: (groups: string) => string;
  rows: (rows: string) => string;
  nothing: string;
  kinds: Record<ChartRequest['kind'], string>;
  aggregates: Record<ChartRequest['aggregate'], (y: string) => string>;
  by: (y: string, x: string) => string;
}

const WORDS: Record<'en' | 'es', Words> = {
  en: {
    empty: '(empty)',
    yes: 'yes',
    no: 'no',
    rest: (groups) => `${groups} more`,
    rows: (rows) => `${rows} rows`,
    nothing: 'No rows',
    kinds: { bar: 'Bar chart', line: 'Line chart', pie: 'Pie chart', histogram: 'Histogram' },
    aggregates: {
      count: () => 'Count',
      sum: (y) => `Total ${y}`,
      avg: (y) => `Average ${y}`,
      min: (y) => `Least ${y}`,
      max: (y) => `Greatest ${y}`,
    },
    by: (y, x) => `${y} by ${x}`,
  },
  es: {
    empty: '(vacío)',
    yes: 'sí',
    no: 'no',
    rest: (groups) => `${groups} más`,
    rows: (rows) => `${rows} filas`,
    nothing: 'Sin filas',
    kinds: { bar: 'Gráfico de barras', line: 'Gráfico de líneas', pie: 'Gráfico circular', histogram: 'Histograma' },
    aggregates: {
      count: () => 'Cantidad',
      sum: (y) => `Total ${y}`,
      avg: (y) => `Promedio ${y}`,
      min: (y) => `Mínimo ${y}`,
      max: (y) => `Máximo ${y}`,
    },
    by: (y, x) => `${y} por ${x}`,
  },
};

/** Spanish where it is asked for; numbers and dates follow any language, words are in these two. */
export function wordsOf(locale: string): Words {
  return WORDS[locale.startsWith('es') ? 'es' : 'en'];
}

export interface Labels {
  title: string;
  /** The text alternative: what the picture shows, in words. */
  description: string;
  x: string[];
  rest: string;
  number(value: number): string;
}

const SPOKEN = 10;

/** Everything that the chart says, in its language. */
export function labelsOf(request: ChartRequest, data: ChartData): Labels {
  const words = wordsOf(request.locale);
  const number = new Intl.NumberFormat(request.locale, { maximumFractionDigits: 2 });
  const show = (value: number | null): string => (value === null ? words.empty : number.format(value));
  const y = words.aggregates[request.aggregate](request.y?.name ?? '');
  const title = request.title ?? words.by(y, request.x.name);
  const x = data.points.map((point) => labelOf(point.x, request, data));
  const rest = data.rest ? words.rest(number.format(data.rest.groups)) : '';
  const spoken = data.points.slice(0, SPOKEN).map((point, index) => `${x[index]} ${show(point.y)}`);
  if (data.points.length > SPOKEN) spoken.push('…');
  if (data.rest) spoken.push(`${rest} ${show(data.rest.y)}`);
  const said =
    data.points.length === 0 ? words.nothing : `${spoken.join(', ')}. ${words.rows(number.format(data.rows))}`;
  return {
    ...{ title, x, rest },
    description: `${words.kinds[request.kind]}. ${title}: ${said}.`,
    number: (value) => number.format(value),
  };
}

function labelOf(x: string | number | boolean | null, request: ChartRequest, data: ChartData): string {
  const words = wordsOf(request.locale);
  if (x === null) return words.empty;
  if (typeof x === 'boolean') return x ? words.yes : words.no;
  if (typeof x === 'number') return numberLabel(x, request, data);
  if (request.x.type !== 'date' && request.x.type !== 'timestamp') return x;
  const time = Date.parse(x);
  return Number.isNaN(time) ? x : new Intl.DateTimeFormat(request.locale, dateFormat(data.step)).format(time);
}

function numberLabel(x: number, { locale, kind }: ChartRequest, { step }: ChartData): string {
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 6, useGrouping: kind === 'histogram' });
  return kind === 'histogram' && typeof step === 'number'
    ? `${number.format(x)} – ${number.format(Number((x + step).toPrecision(12)))}`
    : number.format(x);
}

function dateFormat(step: ChartData['step']): Intl.DateTimeFormatOptions {
  const day = { year: 'numeric', month: 'short', day: 'numeric', timeZone: 'UTC' } as const;
  if (step === 'year') return { year: 'numeric', timeZone: 'UTC' };
  if (step === 'month') return { year: 'numeric', month: 'short', timeZone: 'UTC' };
  return step === 'hour' ? { month: 'short', day: 'numeric', hour: '2-digit', timeZone: 'UTC' } : day;
}
