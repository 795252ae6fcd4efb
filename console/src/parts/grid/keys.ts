const PAGE = 15;

/** The line that a key leads to from `active` (-1: none yet) among `count`; undefined for any other key. */
export function lineAfter(key: string, active: number, count: number): number | undefined {
  const lines = new Map([
    ['ArrowDown', active + 1],
    ['ArrowUp', active - 1],
    ['PageDown', active + PAGE],
    ['PageUp', active - PAGE],
    ['Home', 0],
    ['End', count - 1],
  ]);
  const line = lines.get(key);
  return line === undefined ? undefined : Math.max(0, Math.min(count - 1, line));
}
