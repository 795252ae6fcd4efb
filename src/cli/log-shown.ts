import { type Style, type Terminal, visible } from './terminal.ts';

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A log line, wherever it was read. */
export interface ShownLine {
  time: string;
  level: string;
  message: string;
  rest: Record<string, unknown>;
}

const STYLES: Record<string, Style> = { warn: 'yellow', error: 'red', fatal: 'red', debug: 'dim', trace: 'dim' };

export function showLine(terminal: Terminal, name: string, { time, level, message, rest }: ShownLine): void {
  const style = STYLES[level];
  const severity = level.padEnd(5);
  const details = Object.entries(rest)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  terminal.line(
    [
      terminal.paint('dim', time.slice(11, 23)),
      terminal.paint('cyan', name),
      style ? terminal.paint(style, severity) : severity,
      visible(message) + (details ? terminal.paint('dim', `  ${visible(details)}`) : ''),
    ].join(' '),
  );
}
