import { setTimeout as pause } from 'node:timers/promises';

/** Asks until there is an answer; fails when none came within `ms`. */
export async function eventually<T>(ask: () => Promise<T | undefined>, ms = 90_000): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`nothing happened within ${ms} ms`);
    await pause(15);
  }
}
