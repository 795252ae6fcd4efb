import { init } from 'echarts';

/** What one kind of request took; latencies in ms. */
export interface StepResult {
  name: string;
  call: string;
  requests: number;
  per_second: number;
  p50: number;
  p90: number;
  p975: number;
  p99: number;
  max: number;
  /** Refused by a rate limit. */
  limited: number;
  /** Any other answer than the expected one, time-outs and broken connections. */
  failed: number;
}

export interface LoadReport {
  markdown: string;
  html: string;
  svg: string;
}

const TITLES = ['request', 'n', 'per s', 'p50', 'p90', 'p97.5', 'p99', 'max', '429', 'failed'];

function cells(step: StepResult): string[] {
  const { name, requests, per_second, p50, p90, p975, p99, max, limited, failed } = step;
  const ms = [p50, p90, p975, p99, max].map((value) => `${Math.round(value * 10) / 10} ms`);
  return [name, String(requests), String(Math.round(per_second)), ...ms, String(limited), String(failed)];
}

/** The report of a load test, as Markdown with its chart beside it, and as one HTML page. */
export function loadReport(steps: readonly StepResult[], about: string): LoadReport {
  const svg = chart(steps);
  const row = (values: string[]) => `| ${values.join(' | ')} |`;
  const table = [
    row(TITLES),
    row(TITLES.map((_, at) => (at === 0 ? '---' : '---:'))),
    ...steps.map((step) => row(cells(step))),
  ];
  const calls = steps.map(({ name, call }) => `- ${name}: \`${call}\``).join('\n');
  const markdown = `# Load test\n\n${about}\n\n${table.join('\n')}\n\n![Percentiles by request](report.svg)\n\n${calls}\n`;
  const line = (tag: string, values: string[]) =>
    `<tr>${values.map((value) => `<${tag}>${escape(value)}</${tag}>`).join('')}</tr>`;
  const body = steps.map((step) => line('td', cells(step))).join('\n');
  const html = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load test</title>
<style>body{font:16px system-ui;margin:2rem auto;max-width:70rem}table{border-collapse:collapse}td,th{padding:.3rem .7rem;text-align:right;border-bottom:1px solid #ccc}td:first-child,th:first-child{text-align:left}</style>
<h1>Load test</h1><p>${escape(about)}</p>
<table><thead>${line('th', TITLES)}</thead><tbody>${body}</tbody></table>
<figure>${svg}<figcaption>Latency in milliseconds, logarithmic: median, 90th and 99th percentile of each request.</figcaption></figure>
<ul>${steps.map(({ name, call }) => `<li>${escape(name)}: <code>${escape(call)}</code></li>`).join('')}</ul>
</html>
`;
  return { markdown, html, svg };
}

function chart(steps: readonly StepResult[]): string {
  const drawing = init(null, null, { renderer: 'svg', ssr: true, width: 1000, height: 60 + 60 * steps.length });
  const bars = [
    ['p50', 'p50'],
    ['p90', 'p90'],
    ['p99', 'p99'],
  ] as const;
  drawing.setOption({
    animation: false,
    legend: {},
    grid: { left: 170, right: 30, top: 40, bottom: 40 },
    // A logarithmic axis has no zero: what took less than 0.1 ms is drawn as that.
    xAxis: { type: 'log', name: 'ms', min: 0.1 },
    yAxis: { type: 'category', inverse: true, data: steps.map(({ name }) => name) },
    series: bars.map(([name, key]) => ({ name, type: 'bar', data: steps.map((step) => Math.max(0.1, step[key])) })),
  });
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  return svg;
}

function escape(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
