interface Run {
  start: number;
  /** Behind its last. */
  end: number;
}

/**
 * Lists in step, brought into the order of the first. It is made of few ascending runs, one for each segment, and runs
 * of different hours lie apart: then they are only put together anew, in a tenth of the time of a sort.
 */
export function inOrder(times: readonly number[], lists: readonly (readonly unknown[])[]): (readonly unknown[])[] {
  const at = (index: number): number => times[index] as number;
  const runs = ascending(times);
  if (runs.length < 2) return [...lists];
  runs.sort((a, b) => at(a.start) - at(b.start));
  const apart = runs.every(({ start }, index) => index === 0 || at((runs[index - 1] as Run).end - 1) <= at(start));
  if (apart) return lists.map((list) => runs.flatMap(({ start, end }) => list.slice(start, end)));
  const order = Array.from(times.keys()).sort((a, b) => at(a) - at(b));
  return lists.map((list) => order.map((index) => list[index]));
}

function ascending(times: readonly number[]): Run[] {
  const runs: Run[] = [];
  let start = 0;
  for (let index = 1; index <= times.length; index += 1) {
    if (index < times.length && (times[index] as number) >= (times[index - 1] as number)) continue;
    runs.push({ start, end: index });
    start = index;
  }
  return runs;
}
