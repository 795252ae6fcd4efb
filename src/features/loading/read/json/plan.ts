import type { ReaderOptions } from '#contract/reader-options.ts';
import type { RecordPlan } from './record.ts';

/** Records that are looked at before the first is read, and bytes of them. */
export const SAMPLE_RECORDS = 1000;
export const SAMPLE_BYTES = 4 * 1024 * 1024;

/** An object with more different keys is a dictionary of things, not a record with fields. */
const MAX_NESTED_KEYS = 50;

/**
 * Decides from the first records how all of them become rows. One level of nested objects becomes columns
 * `a.b` where the member is an object in every sampled record that has it, and the objects share their
 * keys (each holds at least half of all that were seen). Deeper objects and arrays stay JSON; so does every value
 * of a member that is now a container, now a scalar. Nothing is lost when a later record differs: its object
 * lands in `a`, beside `a.b`.
 */
export function planRecords(sample: unknown[], features: boolean, options: ReaderOptions): RecordPlan {
  const records = features ? sample.map(properties) : sample;
  const found = membersOf(records);
  const plan: RecordPlan = { nested: namesOf(found, isStable), varying: namesOf(found, isVarying), features };
  const arrays = sample.filter((record) => Array.isArray(record));
  if (arrays.length > 0 && arrays.length === sample.length) plan.positional = headerOf(arrays, options) ?? [];
  return plan;
}

/** Whether the first of the arrays names the columns: texts that differ, above something that is not only texts. */
export function headerOf(arrays: unknown[][], options: ReaderOptions): string[] | undefined {
  const [first, ...others] = arrays;
  const names = (first ?? []).filter((name) => typeof name === 'string');
  if (options.header === false || names.length === 0 || names.length !== first?.length) return undefined;
  if (new Set(names).size !== names.length) return undefined;
  const typed = others.some((row) => row.some((cell) => typeof cell === 'number' || typeof cell === 'boolean'));
  return options.header || typed ? names : undefined;
}

function properties(feature: unknown): unknown {
  return isObject(feature) ? feature['properties'] : feature;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Member {
  objects: number;
  arrays: number;
  scalars: number;
  members: number;
  keys: Set<string>;
}

function membersOf(records: unknown[]): Map<string, Member> {
  const found = new Map<string, Member>();
  for (const record of records) {
    if (!isObject(record)) continue;
    for (const [key, value] of Object.entries(record)) {
      if (value === null) continue;
      const member = found.get(key) ?? { objects: 0, arrays: 0, scalars: 0, members: 0, keys: new Set() };
      found.set(key, member);
      if (isObject(value)) countKeys(member, Object.keys(value));
      else if (Array.isArray(value)) member.arrays += 1;
      else member.scalars += 1;
    }
  }
  return found;
}

function countKeys(member: Member, keys: string[]): void {
  member.objects += 1;
  member.members += keys.length;
  for (const key of keys) if (member.keys.size <= MAX_NESTED_KEYS) member.keys.add(key);
}

function namesOf(found: Map<string, Member>, test: (member: Member) => boolean): Set<string> {
  return new Set([...found].filter(([, member]) => test(member)).map(([key]) => key));
}

function isVarying({ objects, arrays, scalars }: Member): boolean {
  return scalars > 0 && objects + arrays > 0;
}

function isStable({ objects, arrays, scalars, members, keys }: Member): boolean {
  if (objects === 0 || arrays + scalars > 0 || keys.size === 0 || keys.size > MAX_NESTED_KEYS) return false;
  return members / objects >= keys.size / 2;
}
