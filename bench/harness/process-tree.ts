import { readdirSync, readFileSync } from 'node:fs';

/** Linux's USER_HZ; the kernel reports CPU time to user space in hundredths whatever its own tick is. */
const TICK_MS = 10;
const SAMPLE_MS = 50;

interface Process {
  pid: number;
  parent: number;
  /** Its own and that of children it has waited for, in ms. */
  cpu_ms: number;
}

function allProcesses(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = readProc(`/proc/${name}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields.length < 16) return [];
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [{ pid: Number(name), parent: Number(fields[1]), cpu_ms: ticks * TICK_MS }];
  });
}

/** A process may end between being listed and being read. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The process and all its descendants. */
function treeOf(root: number): Process[] {
  const all = allProcesses();
  const tree = all.filter(({ pid }) => pid === root);
  for (let at = 0; at < tree.length; at += 1) {
    const parent = tree[at]?.pid;
    tree.push(...all.filter((process) => process.parent === parent));
  }
  return tree;
}

export function cpuOf(root: number): number {
  return treeOf(root).reduce((sum, { cpu_ms }) => sum + cpu_ms, 0);
}

/** Private resident memory. File pages and PostgreSQL's shared buffers would count once per process and are left out. */
function anonymousOf(root: number): number {
  return treeOf(root).reduce((sum, { pid }) => sum + privateOf(pid), 0);
}

/** Of one process alone; cheap enough to be asked many times a second. */
export function privateOf(pid: number): number {
  return kilobytes(readProc(`/proc/${pid}/status`), 'RssAnon');
}

/** Proportional set size: shared pages are divided among those who share them, so the sum is what the tree takes. */
export function pssOf(root: number): number {
  return treeOf(root).reduce((sum, { pid }) => sum + kilobytes(readProc(`/proc/${pid}/smaps_rollup`), 'Pss'), 0);
}

/** PSS of each process of the tree with its command line. */
export function pssByProcess(root: number): { pid: number; bytes: number; command: string }[] {
  return treeOf(root).map(({ pid }) => ({
    pid,
    bytes: kilobytes(readProc(`/proc/${pid}/smaps_rollup`), 'Pss'),
    command: readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
  }));
}

/** One line of a file of /proc, in bytes. */
function kilobytes(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

export interface Cost {
  ms: number;
  /** User and system time of the tree, ended children included. */
  cpu_ms: number;
  /** How far the tree's private memory rose above where it was, at its highest; sampled. */
  growth_bytes: number;
}

/** Runs `work` while watching the tree below `root`. */
export async function costOf<T>(root: number, work: () => Promise<T>): Promise<{ value: T; cost: Cost }> {
  const cpu = cpuOf(root);
  const before = anonymousOf(root);
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, anonymousOf(root));
  }, SAMPLE_MS);
  const began = performance.now();
  try {
    const value = await work();
    const ms = performance.now() - began;
    return { value, cost: { ms, cpu_ms: cpuOf(root) - cpu, growth_bytes: Math.max(peak, anonymousOf(root)) - before } };
  } finally {
    clearInterval(sampling);
  }
}
