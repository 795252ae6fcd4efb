import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** Chromium's program: `CAUDAL_TEST_CHROMIUM`, or one on the path. */
export function findBrowser(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = env['CAUDAL_TEST_CHROMIUM'];
  if (given) return given;
  const folders = (env['PATH'] ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
