import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '#platform/process/files.ts';

/** What the processes of this installation recognise each other by; made once, readable by its owner only. */
export async function internalSecret(dataDir: string): Promise<string> {
  const file = join(dataDir, 'internal-secret');
  const kept = (await readFile(file, 'utf8').catch(() => '')).trim();
  if (kept) return kept;
  const made = randomBytes(32).toString('base64url');
  await writeWhole(file, `${made}\n`);
  return made;
}
