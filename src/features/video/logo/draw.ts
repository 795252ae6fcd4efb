import { join } from 'node:path';
import { fail } from '#kernel/errors.ts';
import { runLimited } from '#platform/process/limited.ts';
import { LOGO_FILE } from '../graph.ts';
import type { Plan } from '../plan.ts';
import type { Workbench } from '../workbench.ts';

const CHILD = join(import.meta.dirname, 'child.ts');
/** An idle Node has some 700 MB of private memory reserved, most of it never touched. */
const MEMORY_BYTES = 2_000_000_000;
const TIMEOUT_MS = 60_000;
const NOT_AN_IMAGE = 3;

/** The card that the graph shows before and after each clip; of an image in the workbench, or Caudal's own. @throws logo_refused */
export async function drawLogo(bench: Workbench, { width, height }: Plan, image?: string): Promise<void> {
  const ended = await runLimited({
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      CHILD,
      LOGO_FILE,
      String(width),
      String(height),
      ...(image ? [image] : []),
    ],
    cwd: bench.directory,
    signal: bench.signal,
    timeout_ms: TIMEOUT_MS,
    memory_bytes: MEMORY_BYTES,
  });
  if (ended.code === 0) return;
  if (image && (ended.code === NOT_AN_IMAGE || ended.signal || ended.overdue)) {
    throw fail('logo_refused', `The logo cannot be used: ${ended.stderr.trim().slice(-200) || 'it is no image'}.`);
  }
  throw new Error(`the logo could not be drawn: ${ended.stderr.slice(-500)}`);
}
