import {
  commit as commitLine,
  continues,
  type FollowedFile,
  freshState,
  type Line,
  lastLine,
  newBuffer,
  openRegular,
  readLines,
  resume,
  skipTo,
} from './file.ts';
import type { KeptFile, Positions } from './positions.ts';
import { rotatedBeside } from './siblings.ts';

export interface FollowOptions {
  path: string;
  positions: Positions;
  /** Milliseconds that never run backwards. */
  now(): number;
  /** Told what may have been lost, in words for the operator. */
  warn(message: string): void;
}

export interface Follower {
  /** The next whole lines of one file, oldest file first; none when nothing is new. At most a chunk's. */
  read(): Promise<Line[]>;
  /** Everything up to this line has arrived: the next start goes on behind it. */
  commit(line: Line): Promise<void>;
  /** Bytes that are not read yet. */
  behind(): Promise<number>;
  close(): Promise<void>;
}

/** Of a log that is met for the first time, what is older stays where it is. */
const FIRST_SIGHT = 16 * 2 ** 20;
/** How long a file that was rotated away may still be written to: nginx goes on until it is told to reopen. */
const GRACE_MS = 30_000;
/** Each keeps its disk space, even when it is deleted meanwhile. */
const MOST_ROTATED = 8;

interface Held extends FollowedFile {
  /** When it was last seen to grow. */
  grew: number;
}

/** Follows a log by name over rotation (renamed or copied and truncated), truncation, absence and restarts. */
export function follow({ path, positions, now, warn }: FollowOptions): Follower {
  const buffer = newBuffer();
  /** Oldest first; what the path names is the last. */
  let files: Held[] = [];
  let started = false;

  const hold = (file: FollowedFile): Held => Object.assign(file, { grew: now() });
  const isHeld = ({ dev, ino }: { dev: number; ino: number }) =>
    files.some((file) => file.ino === ino && file.dev === dev);
  const save = () =>
    positions
      .save(files.map(({ dev, ino, committed }) => ({ dev, ino, ...committed })))
      .catch((error) => warn(`its position could not be kept: ${(error as Error).message}`));

  async function start(): Promise<void> {
    const kept = await positions.load();
    if (kept === undefined) {
      const file = await openIfThere(path);
      if (file) files.push(hold(await nearItsEnd(file)));
    } else {
      for (const one of kept) {
        const file = await foundAgain(path, one);
        if (file) files.push(hold(file));
        else if (one.offset > 0) warn('what followed its last position is gone or packed');
      }
      await look();
    }
    await save();
    started = true;
  }

  /** Takes up what the path names now, and what it named between two looks. */
  async function look(): Promise<void> {
    const current = await openIfThere(path);
    if (current && isHeld(current)) return current.handle.close();
    // In this order: what is rotated away between the two is found beside, under an inode that is held.
    const known = files;
    if (current) files = [...files, hold(current)];
    const between = await missed(known);
    if (!current && between.length === 0) return;
    for (const file of known) file.grew = now();
    files = [...known, ...between, ...files.slice(known.length)];
    await limit();
    await save();
  }

  /** Files beside the log that came after the newest of those. */
  async function missed(known: readonly FollowedFile[]): Promise<Held[]> {
    if (known.length === 0) return [];
    const beside = await openAll(await rotatedBeside(path));
    const newest = beside.findLastIndex((file) => known.some(({ dev, ino }) => dev === file.dev && ino === file.ino));
    const found = newest < 0 ? [] : beside.slice(newest + 1).filter((file) => !isHeld(file));
    await closeAll(beside.filter((file) => !found.includes(file)));
    return found.map(hold);
  }

  /** The bytes before our position are others: truncated, usually after a copy was made. */
  async function replaced(file: Held): Promise<void> {
    const beside = await openAll(await rotatedBeside(path));
    const found: FollowedFile[] = [];
    for (const candidate of beside) {
      // Rotated itself since: what is newer than it is no copy of it.
      if (candidate.dev === file.dev && candidate.ino === file.ino) break;
      if (isHeld(candidate)) continue;
      if (found.length > 0) found.push(candidate);
      else if (await continues(candidate, file)) {
        const { offset, before, inLongLine, committed } = file;
        found.push(Object.assign(candidate, { offset, before, inLongLine, committed }));
      }
    }
    await closeAll(beside.filter((each) => !found.includes(each)));
    const anew = hold({ ...file, ...freshState() });
    files = files.flatMap((each) => (each === file ? [...found.map(hold), anew] : [each]));
    await limit();
    await save();
  }

  async function limit(): Promise<void> {
    const excess = files.splice(0, Math.max(0, files.length - 1 - MOST_ROTATED));
    if (excess.length > 0) warn(`${excess.length} rotated files were given up before they could be read`);
    await closeAll(excess);
  }

  async function give(file: Held): Promise<Line[]> {
    const lines = await readLines(file, buffer);
    if (lines === undefined) await replaced(file);
    if (lines === undefined || lines.length > 0) file.grew = now();
    if (lines === undefined || lines.length > 0 || file === files.at(-1)) return lines ?? [];
    if (now() - file.grew < GRACE_MS) return [];
    const rest = await lastLine(file, buffer);
    if (rest.length > 0) return rest;
    files.splice(files.indexOf(file), 1);
    await file.handle.close();
    await save();
    return [];
  }

  return {
    async read() {
      if (!started) await start();
      for (const file of [...files]) {
        const lines = await give(file);
        if (lines.length > 0) return lines;
      }
      await look();
      return [];
    },
    async commit(line) {
      // Of one that was truncated or given up since, there is no position to keep.
      if (!files.some((file) => file === line.file)) return;
      await commitLine(line);
      await save();
    },
    async behind() {
      const unread = files.map(async ({ handle, offset }) => Math.max(0, (await handle.stat()).size - offset));
      return (await Promise.all(unread)).reduce((sum, bytes) => sum + bytes, 0);
    },
    async close() {
      await closeAll(files);
      files = [];
    },
  };
}

async function nearItsEnd(file: FollowedFile): Promise<FollowedFile> {
  const { size } = await file.handle.stat();
  if (size > FIRST_SIGHT) await skipTo(file, size - FIRST_SIGHT);
  return file;
}

/** The file of an earlier run: where it was, under another name, or a copy that was made before it was truncated. */
async function foundAgain(path: string, kept: KeptFile): Promise<FollowedFile | undefined> {
  const candidates = await openAll([path, ...(await rotatedBeside(path)).toReversed()]);
  const same = candidates.filter(({ dev, ino }) => dev === kept.dev && ino === kept.ino);
  const copies = kept.offset > 0 ? candidates.filter((file) => !same.includes(file)) : [];
  for (const file of [...same, ...copies]) {
    if (!(await resume(file, kept))) continue;
    await closeAll(candidates.filter((other) => other !== file));
    return file;
  }
  await closeAll(candidates);
  return undefined;
}

/** @throws what keeps it from being read although it is there */
async function openIfThere(path: string): Promise<FollowedFile | undefined> {
  try {
    return await openRegular(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function openAll(paths: readonly string[]): Promise<FollowedFile[]> {
  const opened: FollowedFile[] = [];
  for (const path of paths) {
    const file = await openIfThere(path).catch(() => undefined);
    if (file) opened.push(file);
  }
  return opened;
}

async function closeAll(files: readonly FollowedFile[]): Promise<void> {
  await Promise.all(files.map(({ handle }) => handle.close()));
}
