import { isAbsolute } from 'node:path';
import { Unfit } from '#kernel/setting.ts';

const FORMATS = ['nginx', 'postgresql', 'text'] as const;

export interface TailTarget {
  format: (typeof FORMATS)[number];
  /** Absolute. */
  path: string;
}

/** `nginx:/var/log/nginx/access.log,text:/var/log/app.log` @throws Unfit */
export function parseTailTargets(value: string): TailTarget[] {
  const targets = value
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean)
    .map(parseTarget);
  const twice = targets.find(({ path }, index) => targets.findIndex((other) => other.path === path) < index);
  if (twice) throw new Unfit(`names ${twice.path} twice`);
  return targets;
}

function parseTarget(entry: string): TailTarget {
  const at = entry.indexOf(':');
  const format = FORMATS.find((name) => name === entry.slice(0, at));
  const path = entry.slice(at + 1);
  if (at > 0 && format !== undefined && isAbsolute(path)) return { format, path };
  throw new Unfit(
    `holds "${entry}"; write ${FORMATS.join(', ')} with an absolute path, such as nginx:/var/log/nginx/access.log, with commas between`,
  );
}

export function showTailTargets(targets: readonly TailTarget[]): string {
  return targets.map(({ format, path }) => `${format}:${path}`).join(',');
}
