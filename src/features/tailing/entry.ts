import type { Line } from './file.ts';

/** What a followed line says, as an OpenTelemetry log record has it. */
export interface LogEntry {
  /** Epoch ms; undefined where the line has no time of its own. */
  time?: number;
  /** OpenTelemetry's number, 1 to 24; 0 for unknown. */
  severity: number;
  severityText?: string;
  body: string;
  attributes: Record<string, string | number | boolean | string[]>;
  traceId?: string;
  spanId?: string;
}

/** How the lines of a log become entries. */
export interface LogFormat {
  /** What the records' `service.name` is. */
  service(path: string): string;
  /** Whether a line belongs to the entry that began with `first`; null where each line is one. */
  continues: ((first: string, line: string) => boolean) | null;
  parse(text: string): LogEntry;
}

/** Lines of one entry and where the next begins. */
export interface Joined {
  text: string;
  cut: boolean;
  last: Line;
}

/** An entry of more is cut; PostgreSQL's statements have no limit of their own. */
const LONGEST_ENTRY = 256 * 1024;

export interface Joiner {
  add(lines: readonly Line[]): Joined[];
  /** The entry that waits for more, when nothing has come for a while. */
  flush(): Joined[];
}

export function joiner(continues: LogFormat['continues']): Joiner {
  if (!continues) {
    return { add: (lines) => lines.map((last) => ({ text: last.text, cut: last.cut, last })), flush: () => [] };
  }
  let open: (Joined & { first: string }) | undefined;
  const end = (): Joined[] => {
    const done = open ? [{ text: open.text, cut: open.cut, last: open.last }] : [];
    open = undefined;
    return done;
  };
  const belongs = (line: Line): boolean =>
    open !== undefined && open.last.file === line.file && continues(open.first, line.text);
  return {
    add(lines) {
      const done: Joined[] = [];
      for (const line of lines) {
        if (!open || !belongs(line)) {
          done.push(...end());
          open = { first: line.text, text: line.text, cut: line.cut, last: line };
          continue;
        }
        const fits = open.text.length + line.text.length < LONGEST_ENTRY;
        open.text = fits ? `${open.text}\n${line.text}` : open.text;
        open.cut ||= line.cut || !fits;
        open.last = line;
      }
      return done;
    },
    flush: end,
  };
}
