import { clipFrames, type Plan } from './plan.ts';
import { perSecond, type Rate } from './rate.ts';
import type { Source, VideoTrack } from './source.ts';

export const SAMPLE_RATE = 48_000;
/** Relative to where the engine works: no path of ours has to be written in the graph's own quoting. */
export const LOGO_FILE = 'logo.png';

/**
 * The picture's filter graph: shown right side up with square pixels, in SDR, in the frame's size, at a
 * constant rate; cut into parts; each part between its logos; all of it one stream, `[v]`, which a segment
 * muxer takes apart again at the same frames.
 *
 * One sink only: the engine asks the sink that is furthest behind, and with a second one (a poster, or the
 * sound) the logos were never asked for while all decoded frames waited in memory — 2.7 GB for 60 s of 1080p.
 */
export function pictureGraph(plan: Plan, source: Source, tools: { zscale: boolean }): string {
  const { parts, logo, rate } = plan;
  const cut = parts.slice(1).map(({ start }) => start);
  const contents = parts.map((_, index) => `[c${index}]`).join('');
  const chain = [...normalised(plan, source, tools), ...(cut.length > 0 ? [`segment=frames=${cut.join('|')}`] : [])];
  const lines = [`[0:${source.video.index}]${chain.join(',')}${contents}`];
  const logos: string[] = [];
  if (logo.start > 0) lines.push(logoChain('s', logo.start, parts.length, plan));
  if (logo.end > 0) lines.push(logoChain('e', logo.end, parts.length, plan));
  for (const [index] of parts.entries()) {
    lines.push(`[c${index}]setpts=PTS-STARTPTS[d${index}]`);
    logos.push(`${logo.start > 0 ? `[s${index}]` : ''}[d${index}]${logo.end > 0 ? `[e${index}]` : ''}`);
  }
  const count = parts.length * (1 + Number(logo.start > 0) + Number(logo.end > 0));
  const joined = count > 1 ? `concat=n=${count}:v=1:a=0,` : '';
  lines.push(`${logos.join('')}${joined}settb=${tick(rate)},setpts=N,fps=${frames(rate)},format=yuv420p[v]`);
  return lines.join(';\n');
}

/** Every clip's sound, exactly as long as its picture: `[a0]`, `[a1]`, …; silence where the source has none. */
export function soundGraph(plan: Plan, source: Source | undefined): string {
  const { parts, logo, rate } = plan;
  const samples = (count: number): number => Math.round((count / perSecond(rate)) * SAMPLE_RATE);
  const layout = `aformat=sample_fmts=fltp:sample_rates=${SAMPLE_RATE}:channel_layouts=stereo`;
  const length = (index: number): number => samples(clipFrames(plan, parts[index] ?? { start: 0, end: 0 }));
  if (!source?.audio) {
    return parts
      .map((_, index) => `anullsrc=r=${SAMPLE_RATE}:cl=stereo,atrim=end_sample=${length(index)},${layout}[a${index}]`)
      .join(';\n');
  }
  const cut = parts.slice(1).map(({ start }) => samples(start));
  const lead = Math.round(plan.lead_seconds * SAMPLE_RATE);
  const chain = [
    `aresample=${SAMPLE_RATE}:async=1:first_pts=0`,
    layout,
    ...(lead > 0 ? [`atrim=start_sample=${lead}`, 'asetpts=PTS-STARTPTS'] : []),
    'apad',
    `atrim=end_sample=${samples(plan.frames)}`,
    ...(cut.length > 0 ? [`asegment=samples=${cut.join('|')}`] : []),
  ];
  const contents = parts.map((_, index) => `[c${index}]`).join('');
  const lines = [`[0:${source.audio.index}]${chain.join(',')}${contents}`];
  for (const [index] of parts.entries()) {
    const delay = logo.start > 0 ? `,adelay=${samples(logo.start)}S:all=1` : '';
    const padded = `,apad=whole_len=${length(index)},atrim=end_sample=${length(index)}`;
    lines.push(`[c${index}]asetpts=PTS-STARTPTS${delay}${padded}[a${index}]`);
  }
  return lines.join(';\n');
}

const HDR = ['smpte2084', 'arib-std-b67'];

export function isHdr({ transfer }: Pick<VideoTrack, 'transfer'>): boolean {
  return HDR.includes(transfer);
}

function normalised(plan: Plan, source: Source, tools: { zscale: boolean }): string[] {
  const { rate, lead_frames, tail_frames, frames: length } = plan;
  const standing = lead_frames + tail_frames > 0;
  const held = `tpad=start_mode=clone:start=${lead_frames}:stop_mode=clone:stop=${tail_frames}`;
  return [
    'setpts=PTS-STARTPTS',
    ...(source.video.interlaced ? ['bwdif=mode=send_frame:deint=interlaced'] : []),
    ...geometry(plan, source.video),
    ...(tools.zscale ? toSdr(source.video) : []),
    'setsar=1',
    // The end of the last frame is often unknown, and `fps` drops what has no length.
    `tpad=stop_mode=clone:stop_duration=${(2 / perSecond(rate)).toFixed(6)}`,
    `fps=${frames(rate)}:start_time=0:round=near`,
    'format=yuv420p',
    `settb=${tick(rate)}`,
    ...(standing ? [held] : []),
    `trim=end_frame=${length}`,
  ];
}

/** Scaled with its own proportions, then the frame is filled with black or what stands out is cut off. */
function geometry(plan: Plan, { display, matrix, height }: VideoTrack): string[] {
  const { width: w, height: h, fit } = plan;
  const ratios = [w / display.width, h / display.height];
  const ratio = fit === 'pad' ? Math.min(...ratios) : Math.max(...ratios);
  const fitted = (length: number, frame: number): number => {
    const rounded = Math.max(2, 2 * Math.round((length * ratio) / 2));
    return fit === 'pad' ? Math.min(rounded, frame) : Math.max(rounded, frame);
  };
  const [inner, tall] = [fitted(display.width, w), fitted(display.height, h)];
  // What says nothing of its colours is BT.709 when it is large and BT.601 when it is small: so players take it.
  const known = matrix !== '' && matrix !== 'unknown' && matrix !== 'reserved';
  const from = known ? '' : `:in_color_matrix=${height >= 720 ? 'bt709' : 'bt601'}`;
  const scale = `scale=${inner}:${tall}:flags=bicubic:out_range=tv${from}:out_color_matrix=${wide(matrix) ? 'bt2020' : 'bt709'}`;
  if (inner === w && tall === h) return [scale];
  return fit === 'pad' ? [scale, `pad=${w}:${h}:-1:-1:color=black`] : [scale, `crop=${w}:${h}`];
}

const wide = (matrix: string): boolean => matrix.startsWith('bt2020');

/** Tone-mapped (Hable) where the source is HDR; a wide gamut alone is narrowed. */
function toSdr({ transfer, primaries, matrix }: VideoTrack): string[] {
  const back = 'zscale=t=bt709:m=bt709:r=tv';
  const input = `tin=${transfer}:min=2020_ncl:pin=2020:rin=tv`;
  if (HDR.includes(transfer)) {
    const linear = `zscale=${input}:t=linear:npl=203,format=gbrpf32le,zscale=p=bt709`;
    return ['format=yuv420p10le', linear, 'tonemap=tonemap=hable:desat=0', back];
  }
  if (wide(matrix) && primaries === 'bt2020') {
    return ['zscale=tin=709:min=2020_ncl:pin=2020:rin=tv:t=linear', 'format=gbrpf32le', 'zscale=p=bt709', back];
  }
  return [];
}

/** A standing card that fades in and out, as often as there are parts. */
function logoChain(name: 's' | 'e', length: number, parts: number, { rate }: Plan): string {
  const fade = Math.min(8, Math.floor(length / 4));
  const fades = fade > 0 ? [`fade=t=in:s=0:n=${fade}`, `fade=t=out:s=${length - fade}:n=${fade}`] : [];
  const chain = [
    `movie=${LOGO_FILE}`,
    'scale=in_range=pc:out_range=tv:out_color_matrix=bt709',
    'setsar=1',
    'format=yuv420p',
    'loop=loop=-1:size=1',
    `settb=${tick(rate)}`,
    'setpts=N',
    `trim=end_frame=${length}`,
    ...fades,
    ...(parts > 1 ? [`split=${parts}`] : []),
  ];
  return chain.join(',') + Array.from({ length: parts }, (_, index) => `[${name}${index}]`).join('');
}

const frames = ({ num, den }: Rate): string => `${num}/${den}`;
const tick = ({ num, den }: Rate): string => `${den}/${num}`;
