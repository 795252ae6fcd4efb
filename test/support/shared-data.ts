import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BESIDE = fileURLToPath(new URL('../../../shared/data', import.meta.url));

/**
 * A folder of test data from the world, which is never part of the project: `CAUDAL_SHARED_DATA`, or
 * `shared/data` beside the checkout's parent. Undefined where there is none: such tests are skipped.
 */
export function sharedData(folder: string): string | undefined {
  const root = process.env['CAUDAL_SHARED_DATA'] ?? BESIDE;
  const path = join(root, folder);
  return existsSync(path) ? path : undefined;
}
