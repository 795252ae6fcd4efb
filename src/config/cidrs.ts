import { Unfit } from '#kernel/setting.ts';

const CIDR = /^[0-9a-f.:]+\/\d{1,3}$/i;

/** Ranges with commas between. @throws Unfit */
export function parseCidrs(value: string): string[] {
  const ranges = value
    .split(',')
    .map((range) => range.trim())
    .filter(Boolean);
  const wrong = ranges.find((range) => !CIDR.test(range));
  if (wrong !== undefined) throw new Unfit(`holds "${wrong}"; write ranges such as 10.0.0.0/8 with commas between`);
  return ranges;
}
