import { stripVTControlCharacters } from 'node:util';

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const;
export type Style = keyof typeof STYLES;

/** What a command writes to: results to stdout, everything else to stderr. */
export interface Terminal {
  /** Stdout is a terminal: people read it. */
  readonly tty: boolean;
  /** Stderr is one: progress bars can move. */
  readonly live: boolean;
  readonly columns: number;
  paint(style: Style, text: string): string;
  line(text?: string): void;
  note(text: string): void;
  json(value: unknown): void;
  /** Raw text to stdout. */
  write(text: string): void;
  /** Redraws one line on stderr; '' clears it. Only on a live terminal. */
  status(text: string): void;
}

export interface Streams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  env: Record<string, string | undefined>;
}

/** https://no-color.org: NO_COLOR wins over everything; FORCE_COLOR over what the stream is. */
function wantsColour(stream: NodeJS.WriteStream, env: Streams['env']): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] && env['FORCE_COLOR'] !== '0') return true;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

export function openTerminal({ stdout, stderr, env }: Streams): Terminal {
  const colour = wantsColour(stdout, env);
  const live = stderr.isTTY === true && env['TERM'] !== 'dumb';
  let shown = '';
  const clear = () => {
    if (shown) stderr.write('\r\x1b[2K');
    shown = '';
  };
  return {
    tty: stdout.isTTY === true,
    live,
    get columns() {
      return stdout.columns ?? stderr.columns ?? (Number(env['COLUMNS']) || 120);
    },
    paint(style, text) {
      const [on, off] = STYLES[style];
      return colour ? `\x1b[${on}m${text}\x1b[${off}m` : text;
    },
    line(text = '') {
      clear();
      stdout.write(`${text}\n`);
    },
    note(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    json(value) {
      clear();
      stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    write(text) {
      clear();
      stdout.write(text);
    },
    status(text) {
      if (!live || text === shown) return;
      stderr.write(`\r\x1b[2K${text}`);
      shown = text;
    },
  };
}

// East Asian wide and fullwidth blocks. Source: Unicode 16, EastAsianWidth.txt (W and F), merged.
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;
const EMOJI = /\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
const PLAIN = /^[\x20-\x7e]*$/;
const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns that a text takes on a terminal; colour codes take none. */
export function displayWidth(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (PLAIN.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter.segment(bare)) width += graphemeWidth(segment);
  return width;
}

function graphemeWidth(grapheme: string): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

/** Cuts a text to `width` columns, with … when something is lost. */
export function clip(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let used = 0;
  let kept = '';
  for (const { segment } of segmenter.segment(text)) {
    const next = graphemeWidth(segment);
    if (used + next > width - 1) break;
    used += next;
    kept += segment;
  }
  return `${kept}…`;
}

const NAMED: Record<string, string> = { '\n': '⏎', '\r': '␍', '\t': '␉', '\x1b': '␛', '\x7f': '␡' };

/** Text from files and users must not steer the terminal: control characters are shown, not sent. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    return NAMED[character] ?? (code < 32 ? String.fromCharCode(0x2400 + code) : '�');
  });
}
