import type { EChartsOption } from 'echarts';
import type { ChartData } from './chart-data.ts';
import type { ChartRequest, Theme } from './chart-request.ts';
import { type Labels, wordsOf } from './words.ts';

export interface Picture {
  option: EChartsOption;
  width: number;
  height: number;
}

interface Colours {
  background: string;
  text: string;
  muted: string;
  grid: string;
  rest: string;
  palette: string[];
}

const COLOURS: Record<Theme, Colours> = {
  light: {
    ...{ background: '#ffffff', text: '#1d2733', muted: '#5d6b7a', grid: '#e4e8ed', rest: '#aab4bf' },
    palette: [
      '#2f6db5',
      '#dd8438',
      '#3f9a78',
      '#b4548a',
      '#7f66bd',
      '#c19a1f',
      '#4f9fc4',
      '#cf5a55',
      '#8fae4b',
      '#6f7f8f',
    ],
  },
  dark: {
    ...{ background: '#151a20', text: '#e8ecf1', muted: '#9ba8b5', grid: '#2b343e', rest: '#5f6b78' },
    palette: [
      '#6aa5e8',
      '#f0a763',
      '#69c4a1',
      '#dc85b5',
      '#a891e3',
      '#e3c054',
      '#7cc6e6',
      '#ee8681',
      '#b7d673',
      '#9aa9b8',
    ],
  },
};

const FONT = "'DejaVu Sans', 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
const WIDTH = 800;
const HEIGHT = 420;
const TOP = 64;
const LONGEST_LABEL = 34;
/** DejaVu's digits and letters at 12 px, on average. */
const LETTER = 7.2;

/** The picture of a chart: what is drawn and how large it is. */
export function pictureOf(request: ChartRequest, data: ChartData, labels: Labels): Picture {
  const colours = COLOURS[request.theme];
  const base: EChartsOption = {
    animation: false,
    backgroundColor: colours.background,
    color: colours.palette,
    textStyle: { fontFamily: FONT, color: colours.text },
    title: {
      ...{
        left: 20,
        top: 16,
        text: short(labels.title, 80),
        textStyle: { fontSize: 17, color: colours.text, fontFamily: FONT },
      },
    },
  };
  if (data.points.length === 0) return nothing(base, colours, wordsOf(request.locale).nothing);
  if (request.kind === 'pie') return pie(base, colours, data, labels);
  if (request.kind === 'line') return line(base, colours, data, labels);
  const upright = request.kind === 'histogram' || (isOrdered(request) && data.rest === null);
  return upright ? columns(base, colours, { request, data, labels }) : bars(base, colours, data, labels);
}

function isOrdered({ x }: ChartRequest): boolean {
  return x.type === 'date' || x.type === 'timestamp' || /^(integer|number|decimal)/.test(x.type);
}

function short(text: string, most = LONGEST_LABEL): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join('')}…`;
}

function nothing(base: EChartsOption, colours: Colours, text: string): Picture {
  const graphic = {
    type: 'text',
    left: 'center',
    top: 'middle',
    style: { text, fontSize: 15, fill: colours.muted, font: `15px ${FONT}` },
  };
  return { option: { ...base, graphic } as EChartsOption, width: WIDTH, height: 240 };
}

function valueAxis(colours: Colours, labels: Labels) {
  return {
    type: 'value' as const,
    splitNumber: 5,
    axisLabel: {
      color: colours.muted,
      fontSize: 12,
      hideOverlap: true,
      formatter: (value: number) => labels.number(value),
    },
    splitLine: { lineStyle: { color: colours.grid } },
    axisLine: { show: false },
    axisTick: { show: false },
  };
}

/** Names read best beside their bars, however long they are. */
function bars(base: EChartsOption, colours: Colours, data: ChartData, labels: Labels): Picture {
  const names = [...labels.x, ...(data.rest ? [labels.rest] : [])].map((name) => short(name));
  const values = [...data.points.map(({ y }) => y), ...(data.rest ? [data.rest.y] : [])];
  const each = names.length > 60 ? 18 : 30;
  const left = Math.min(290, 34 + Math.max(...names.map((name) => [...name].length)) * LETTER);
  const right = 24 + Math.max(...values.map((value) => labels.number(value ?? 0).length)) * LETTER;
  const rest = { itemStyle: { color: colours.rest } };
  const shown = values.map((value, index) => ({
    value,
    label: { position: (value ?? 0) < 0 ? ('left' as const) : ('right' as const) },
    ...(data.rest && index === values.length - 1 ? rest : {}),
  }));
  const negative = values.some((value) => (value ?? 0) < 0);
  const option: EChartsOption = {
    ...base,
    grid: { left: negative ? left + right : left, right, top: TOP, bottom: 40 },
    xAxis: valueAxis(colours, labels),
    yAxis: {
      ...{ type: 'category', inverse: true, data: names, axisTick: { show: false } },
      axisLine: { show: true, lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.text, fontSize: 12, interval: 0, ...(negative ? { margin: right } : {}) },
    },
    series: [
      {
        ...{ type: 'bar', data: shown, barMaxWidth: 22, barCategoryGap: '28%', itemStyle: { borderRadius: 2 } },
        label: {
          show: true,
          color: colours.muted,
          fontSize: 12,
          formatter: ({ value }: { value?: unknown }) => labels.number(Number(value)),
        },
      },
    ],
  };
  return { option, width: WIDTH, height: TOP + 40 + Math.max(3, names.length) * each };
}

interface Drawn {
  request: ChartRequest;
  data: ChartData;
  labels: Labels;
}

function columns(base: EChartsOption, colours: Colours, { request, data, labels }: Drawn): Picture {
  const names = labels.x.map((name) => short(name, 20));
  const slanted = names.length * Math.max(...names.map(({ length }) => length)) * LETTER > WIDTH - 120;
  const option: EChartsOption = {
    ...base,
    grid: { left: leftOf(data, labels), right: 28, top: TOP, bottom: slanted ? 110 : 48 },
    yAxis: valueAxis(colours, labels),
    xAxis: {
      ...{ type: 'category', data: names, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.grid } } },
      axisLabel: { color: colours.text, fontSize: 12, hideOverlap: true, rotate: slanted ? 45 : 0 },
    },
    series: [
      {
        ...{ type: 'bar', data: data.points.map(({ y }) => y), itemStyle: { borderRadius: 2 } },
        ...(request.kind === 'histogram' ? { barCategoryGap: '4%' } : { barMaxWidth: 48, barCategoryGap: '30%' }),
      },
    ],
  };
  return { option, width: WIDTH, height: HEIGHT };
}

function line(base: EChartsOption, colours: Colours, data: ChartData, labels: Labels): Picture {
  const few = data.points.length <= 40;
  const option: EChartsOption = {
    ...base,
    grid: { left: leftOf(data, labels), right: 36, top: TOP, bottom: 48 },
    yAxis: { ...valueAxis(colours, labels), scale: true },
    xAxis: {
      ...{
        type: 'category',
        boundaryGap: false,
        data: labels.x.map((name) => short(name, 20)),
        axisTick: { show: false },
      },
      axisLine: { lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.text, fontSize: 12, hideOverlap: true },
    },
    series: [
      {
        ...{ type: 'line', data: data.points.map(({ y }) => y), lineStyle: { width: 2.5 }, connectNulls: false },
        ...{ showSymbol: few, symbol: 'circle', symbolSize: 7, areaStyle: { opacity: 0.1 } },
      },
    ],
  };
  return { option, width: WIDTH, height: HEIGHT };
}

function leftOf({ points }: ChartData, labels: Labels): number {
  return 40 + Math.max(...points.map(({ y }) => labels.number(Math.round(y ?? 0)).length)) * LETTER;
}

/** More slices than colours say nothing: the rest is one. Parts of a whole are not negative. */
function pie(base: EChartsOption, colours: Colours, data: ChartData, labels: Labels): Picture {
  const slices = data.points.map(({ y }, index) => ({
    name: short(labels.x[index] ?? ''),
    value: Math.max(0, y ?? 0),
    itemStyle: { color: colours.palette[index % colours.palette.length] ?? colours.rest },
  }));
  if (data.rest) {
    slices.push({ name: labels.rest, value: Math.max(0, data.rest.y ?? 0), itemStyle: { color: colours.rest } });
  }
  const option: EChartsOption = {
    ...base,
    series: [
      {
        ...{ type: 'pie', radius: ['34%', '62%'], center: ['50%', '56%'], data: slices, minShowLabelAngle: 3 },
        itemStyle: { borderColor: colours.background, borderWidth: 2 },
        label: {
          color: colours.text,
          fontSize: 12,
          formatter: ({ name, value, percent }: { name: string; value?: unknown; percent?: number }) =>
            `${name}\n${labels.number(Number(value))} · ${labels.number(Math.round(Number(percent)))} %`,
        },
        labelLine: { lineStyle: { color: colours.muted } },
      },
    ],
  };
  return { option, width: WIDTH, height: 480 };
}
