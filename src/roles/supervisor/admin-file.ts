import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '#platform/process/files.ts';

/** `<data>/admin.json`, 0600: how the command line (and whoever owns the directory) gets in. */
export interface AdminFile {
  url: string;
  username: string;
  email: string;
  password: string;
  /** An API token with the scope `admin`. */
  token: string;
}

export const adminFilePath = (dataDir: string): string => join(dataDir, 'admin.json');

export async function readAdminFile(dataDir: string): Promise<AdminFile | undefined> {
  try {
    return JSON.parse(await readFile(adminFilePath(dataDir), 'utf8')) as AdminFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function writeAdminFile(dataDir: string, admin: AdminFile): Promise<void> {
  return writeWhole(adminFilePath(dataDir), `${JSON.stringify(admin, null, 2)}\n`);
}
