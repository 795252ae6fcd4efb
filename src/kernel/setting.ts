import { resolve } from 'node:path';
import { formatBytes, parseBytes } from './bytes.ts';
import { formatDuration, parseDuration } from './duration.ts';

/** A value that does not fit: what was expected, for a person who edits a file of settings. */
export class Unfit extends Error {}

export interface Setting<T> {
  /** The environment variable. */
  env: string;
  /** As it would be written in the environment; '' = not set. */
  fallback: string;
  /** @throws Unfit, saying what is expected. */
  parse(text: string): T;
  /** The value when none is given, where `fallback` alone does not say it. */
  initial?(): T;
  /** How the value is printed; the default is the text as given. */
  show?(value: T): string;
  /** Never printed; may also come from the file that `<env>_FILE` names. */
  secret?: boolean;
  doc: string;
}

type Range = { min: number; max?: number };

export function text(env: string, fallback: string, doc: string): Setting<string> {
  return { env, fallback, doc, parse: (value) => value };
}

export function secret(env: string, doc: string): Setting<string> {
  return { env, fallback: '', doc, secret: true, parse: (value) => value };
}

export function path(env: string, fallback: string, doc: string): Setting<string> {
  return { env, fallback, doc, parse: (value) => resolve(value), show: (value) => value };
}

function within(
  value: number,
  { min, max = Number.MAX_SAFE_INTEGER }: Range,
  show: (value: number) => string = String,
): number {
  if (value >= min && value <= max) return value;
  throw new Unfit(
    max === Number.MAX_SAFE_INTEGER ? `must be at least ${show(min)}` : `must be between ${show(min)} and ${show(max)}`,
  );
}

export function integer(env: string, fallback: string, range: Range, doc: string): Setting<number> {
  return {
    env,
    fallback,
    doc,
    parse(value) {
      if (!/^\d{1,15}$/.test(value)) throw new Unfit('must be a whole number, such as 4');
      return within(Number(value), range);
    },
  };
}

export function bytes(env: string, fallback: string, range: Range, doc: string): Setting<number> {
  return {
    env,
    fallback,
    doc,
    show: formatBytes,
    parse(value) {
      const size = parseBytes(value);
      if (size === undefined) throw new Unfit('must be a size, such as 512MB or 1.5GiB');
      return within(size, range, formatBytes);
    },
  };
}

export function duration(env: string, fallback: string, range: Range, doc: string): Setting<number> {
  return {
    env,
    fallback,
    doc,
    show: formatDuration,
    parse(value) {
      const ms = parseDuration(value);
      if (ms === undefined) throw new Unfit('must be a duration with its unit, such as 30s, 12h or 7d');
      return within(ms, range, formatDuration);
    },
  };
}

export function perSecond(env: string, fallback: string, doc: string): Setting<number> {
  return {
    env,
    fallback,
    doc,
    show: (value) => `${value}/s`,
    parse(value) {
      const match = /^(\d{1,9})(?:\/s)?$/.exec(value);
      if (!match) throw new Unfit('must be a number of requests per second, such as 2000/s');
      return within(Number(match[1]), { min: 1 });
    },
  };
}

export function choice<const T extends string>(
  env: string,
  fallback: T,
  choices: readonly T[],
  doc: string,
): Setting<T> {
  return {
    env,
    fallback,
    doc: `${doc} One of: ${choices.join(', ')}.`,
    parse(value) {
      const found = choices.find((candidate) => candidate === value);
      if (found === undefined) throw new Unfit(`must be one of ${choices.join(', ')}`);
      return found;
    },
  };
}

/** An absolute URL of one of these schemes, or '' when it may be left out. */
export function url(env: string, fallback: string, schemes: readonly string[], doc: string): Setting<string> {
  return {
    env,
    fallback,
    doc,
    show: maskUrl,
    parse(value) {
      if (value === '') return '';
      const parsed = URL.canParse(value) ? new URL(value) : undefined;
      if (!parsed || !schemes.includes(parsed.protocol.slice(0, -1))) {
        throw new Unfit(`must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`);
      }
      return value.replace(/\/$/, '');
    },
  };
}

/** The password inside a URL is never printed. */
function maskUrl(value: string): string {
  if (!URL.canParse(value)) return value;
  const parsed = new URL(value);
  if (parsed.password) parsed.password = '********';
  return parsed.href;
}
