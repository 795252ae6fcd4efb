import { formatBytes } from '#kernel/bytes.ts';
import { clip, type Terminal } from './terminal.ts';

export interface Progress {
  /** `done` of `total`; `detail` follows the bar. */
  update(done: number, total: number, detail?: string): void;
  /** Replaces the bar by a last line. */
  finish(text: string): void;
}

const REDRAW_MS = 80;
const STEP = 25;

/**
 * A bar that moves on a terminal; plain lines (at every quarter) when stderr is a file or pipe,
 * so that a log stays readable.
 */
export function startProgress(
  terminal: Terminal,
  label: string,
  now: () => number = () => performance.now(),
): Progress {
  let drawn = Number.NEGATIVE_INFINITY;
  let quarter = -1;
  return {
    update(done, total, detail = '') {
      const percent = total > 0 ? Math.min(100, (done / total) * 100) : 0;
      if (terminal.live) {
        if (now() - drawn < REDRAW_MS && percent < 100) return;
        drawn = now();
        terminal.status(
          clip(
            `${label} ${bar(percent, terminal)} ${percent.toFixed(0).padStart(3)} %  ${detail}`,
            terminal.columns - 1,
          ),
        );
        return;
      }
      const step = Math.floor(percent / STEP);
      if (step === quarter) return;
      quarter = step;
      terminal.note(`${label} ${percent.toFixed(0)} %${detail ? `  ${detail}` : ''}`);
    },
    finish(text) {
      terminal.status('');
      terminal.note(text);
    },
  };
}

const WIDTH = 28;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function bar(percent: number, terminal: Terminal): string {
  const cells = (percent / 100) * WIDTH;
  const whole = Math.floor(cells);
  const part = EIGHTHS[Math.floor((cells - whole) * 8)] ?? '';
  const filled = '█'.repeat(whole) + part;
  return terminal.paint('cyan', filled) + terminal.paint('dim', '·'.repeat(WIDTH - whole - (part ? 1 : 0)));
}

/** "12.4 of 31.5 MB, 48.2 MB/s" */
export function transferred(done: number, total: number, ms: number): string {
  const speed = ms > 200 ? `, ${formatBytes((done / ms) * 1000)}/s` : '';
  return `${formatBytes(done)} of ${formatBytes(total)}${speed}`;
}
