import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Picture } from './chart-option.ts';
import type { Labels } from './words.ts';

/**
 * A picture as SVG, with its text alternative; nothing in it runs or loads. The library is imported by the first chart: it is
 * 10 MB that other processes have no use for.
 */
export async function drawSvg(
  { option, width, height }: Picture,
  labels: Pick<Labels, 'title' | 'description'>,
): Promise<string> {
  const echarts = await import('echarts');
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    // Its classes count the charts of this process and only serve to hover: without them the same chart is the
    // same bytes on every replica. In texts quotes and brackets are escaped, so nothing of them is cut.
    const svg = chart
      .renderToSVGString()
      .replaceAll(/zr\d+-c/g, 'clip-')
      .replaceAll(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
      .replace(/<style[\s\S]*?<\/style>\s*/, '');
    const names = `<title id="chart-title">${escape(labels.title)}</title><desc id="chart-description">${escape(labels.description)}</desc>`;
    return svg.replace(/^<svg ([^>]*)>/, `<svg role="img" aria-labelledby="chart-title chart-description" $1>${names}`);
  } finally {
    chart.dispose();
  }
}

const ENTITY: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what XML cannot hold
  const fit = text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
  return fit.replace(/[&<>"']/g, (character) => ENTITY[character] ?? character);
}

/** Twice as many pixels, for screens that have them, as long as the picture stays within bounds. */
const DENSE = 144;
const PLAIN = 72;
const TALLEST_DENSE = 4000;

export type DrawPng = (svg: string, height: number) => Promise<Buffer>;

/** Draws with the font that comes along, whatever the machine has. `directory`: for fontconfig's cache. */
export function pngDrawer(directory: string): DrawPng {
  let loading: Promise<typeof import('sharp').default> | undefined;
  return async (svg, height) => {
    loading ??= loadSharp(directory);
    const sharp = await loading;
    const density = height > TALLEST_DENSE ? PLAIN : DENSE;
    return sharp(Buffer.from(svg), { density, limitInputPixels: 100_000_000 }).png({ compressionLevel: 6 }).toBuffer();
  };
}

/** fontconfig reads this when sharp is loaded, and never again. */
async function loadSharp(directory: string): Promise<typeof import('sharp').default> {
  if (process.env['FONTCONFIG_FILE'] === undefined) {
    const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
    const home = join(directory, 'fonts');
    const path = join(home, 'fonts.conf');
    await mkdir(home, { recursive: true });
    await writeFile(
      path,
      `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${escape(fonts)}</dir><cachedir>${escape(home)}</cachedir></fontconfig>`,
    );
    process.env['FONTCONFIG_FILE'] = path;
  }
  return (await import('sharp')).default;
}
