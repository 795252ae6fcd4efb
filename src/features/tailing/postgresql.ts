import type { LogEntry, LogFormat } from './entry.ts';
import { mask, withoutLiterals } from './mask.ts';
import { plainEntry, traceIn } from './text.ts';

/** `log_line_prefix` of '%m [%p] ' (ours, and PostgreSQL's default) or '%t [%p] ', with `user@database ` where Debian has it. */
const LINE =
  /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?) (\S{1,40}) \[(\d{1,10})\](?:-\d+)?:? (?:(\S{1,63})@(\S{1,63}) )?([A-Z]+[1-5]?): {1,2}(.*)$/s;

/** FATAL ends one session and no server: it is an error. */
const SEVERITIES: Record<string, number> = {
  ...{ DEBUG5: 1, DEBUG4: 2, DEBUG3: 3, DEBUG2: 4, DEBUG1: 5, DEBUG: 5 },
  ...{ LOG: 9, INFO: 9, NOTICE: 10, WARNING: 13, ERROR: 17, FATAL: 18, PANIC: 21 },
};
/** Lines that say more of the message before them. */
const MORE = new Set(['DETAIL', 'HINT', 'QUERY', 'CONTEXT', 'LOCATION', 'STATEMENT', 'BACKTRACE']);
/** Cut before they are masked, so that masking costs no more. */
const LONGEST_STATEMENT = 16 * 1024;
const LONGEST_DETAIL = 1024;

interface Line {
  date: string;
  clock: string;
  zone: string;
  pid: number;
  user: string | undefined;
  database: string | undefined;
  label: string;
  message: string;
}

function parseLine(line: string): Line | undefined {
  const [, date, clock, zone, pid, user, database, label, message] = LINE.exec(line) ?? [];
  if (!date || !clock || !zone || label === undefined || message === undefined) return undefined;
  if (!(label in SEVERITIES) && !MORE.has(label)) return undefined;
  return { date, clock, zone, pid: Number(pid), user, database, label, message };
}

/** A statement goes over several lines, and each message has lines of its own about it. */
function continues(first: string, line: string): boolean {
  const begun = parseLine(first);
  if (!begun) return false;
  const next = parseLine(line);
  return next ? next.pid === begun.pid && MORE.has(next.label) : true;
}

function parse(text: string): LogEntry {
  const [message, ...more] = sectionsOf(text);
  if (!message) return plainEntry(text);
  const time = timeOf(message);
  const severity = SEVERITIES[message.label] ?? 0;
  return {
    ...(time === undefined ? {} : { time }),
    severity,
    severityText: message.label,
    body: bodyOf(message.message),
    attributes: {
      'process.pid': message.pid,
      ...(message.user ? { 'user.name': message.user } : {}),
      ...(message.database ? { 'db.namespace': message.database } : {}),
      'db.system.name': 'postgresql',
      ...Object.fromEntries(more.flatMap(({ label, message: said }) => attributeOf(label, said))),
    },
    ...traceIn(text),
  };
}

function sectionsOf(text: string): Line[] {
  const sections: Line[] = [];
  for (const line of text.split('\n')) {
    const begun = parseLine(line);
    const open = sections.at(-1);
    if (begun) sections.push(begun);
    else if (open) open.message += `\n${line.replace(/^\t/, '')}`;
    else return [];
  }
  return sections;
}

function attributeOf(label: string, said: string): [string, string][] {
  switch (label) {
    case 'STATEMENT':
    case 'QUERY':
      return [['db.query.text', mask(withoutLiterals(said.slice(0, LONGEST_STATEMENT)))]];
    case 'DETAIL':
    case 'HINT':
    case 'CONTEXT':
      return [[`postgresql.${label.toLowerCase()}`, withoutValues(said.slice(0, LONGEST_DETAIL))]];
    default:
      return [];
  }
}

/** `LOG:  duration: 12 ms  statement: SELECT …` holds a statement too. */
function bodyOf(whole: string): string {
  const message = whole.slice(0, LONGEST_STATEMENT);
  const [, before, statement] = /^(.*?\b(?:statement|parse|bind|execute)(?: [^:]{0,80})?: )(.*)$/s.exec(message) ?? [];
  const said = before !== undefined && statement !== undefined ? `${before}${withoutLiterals(statement)}` : message;
  return mask(said);
}

/** Rows, keys and parameters that PostgreSQL quotes are data of users: only what they are the values of is kept. */
function withoutValues(text: string): string {
  const named = text
    .replace(/(\bparameters: ).*$/gis, '$1REDACTED')
    .replace(/(\)=)\((?:.*\)|.*$)/gs, '$1(REDACTED)')
    .replace(/(row contains )\((?:.*\)|.*$)/gis, '$1(REDACTED)')
    .replace(/(\bCOPY \S+, line \d+(?:, column \S+)?: ).*$/gis, '$1REDACTED');
  return mask(withoutLiterals(named).replace(/"[^"]*\s[^"]*"/g, '"REDACTED"'));
}

const ZONES: Record<string, string> = { UTC: 'Z', GMT: 'Z', Z: 'Z' };

/** A zone other than UTC is written by its abbreviation, which says little: it is taken for this machine's. */
function timeOf({ date, clock, zone }: Line): number | undefined {
  const offset = /^[+-]\d\d$/.test(zone) ? `${zone}:00` : /^[+-]\d\d:\d\d$/.test(zone) ? zone : (ZONES[zone] ?? '');
  const time = Date.parse(`${date}T${clock}${offset}`);
  return Number.isNaN(time) ? undefined : time;
}

export const POSTGRESQL: LogFormat = { service: () => 'postgresql', continues, parse };
