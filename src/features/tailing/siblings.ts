import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

const PACKED = /\.(gz|bz2|xz|zst|lz4|zip)$/;

/**
 * Where the earlier content of a log may be, oldest first: `access.log.2`, `access.log.1`, `access.log-20260504`,
 * `access-20260504.log`. Packed ones cannot be gone on with.
 */
export async function rotatedBeside(path: string): Promise<string[]> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  return names
    .flatMap((name) => suffixOf(name, basename(path)) ?? [])
    .sort(older)
    .map(({ name }) => join(directory, name));
}

interface Rotated {
  name: string;
  suffix: string;
}

function suffixOf(name: string, base: string): Rotated | undefined {
  if (name === base || PACKED.test(name)) return undefined;
  if (name.startsWith(`${base}.`) || name.startsWith(`${base}-`)) return { name, suffix: name.slice(base.length + 1) };
  const extension = extname(base);
  const stem = base.slice(0, base.length - extension.length);
  const dated = name.startsWith(`${stem}-`) && name.endsWith(extension);
  const suffix = dated ? name.slice(stem.length + 1, name.length - extension.length) : '';
  return /^\d[\d_-]*$/.test(suffix) ? { name, suffix } : undefined;
}

const COUNTED = /^\d{1,5}$/;

/** Of counted ones the highest is the oldest, of dated ones the earliest. */
function older(a: Rotated, b: Rotated): number {
  const [first, second] = [COUNTED.test(a.suffix), COUNTED.test(b.suffix)];
  if (first && second) return Number(b.suffix) - Number(a.suffix);
  if (first !== second) return first ? 1 : -1;
  return a.suffix < b.suffix ? -1 : 1;
}
