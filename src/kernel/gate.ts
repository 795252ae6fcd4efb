/** Runs work with limits on how much of it runs, and waits, at once. */
export interface Gate {
  /** @throws GateFull when too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export class GateFull extends Error {
  constructor() {
    super('too many are waiting');
    this.name = 'GateFull';
  }
}

/** At most `concurrency` at once, first come first served; at most `waiting` in line. */
export function createGate(concurrency: number, waiting: number): Gate {
  let running = 0;
  const line: (() => void)[] = [];
  return {
    async run(work) {
      if (running >= concurrency) {
        if (line.length >= waiting) throw new GateFull();
        // Whoever leaves hands its place over, so `running` stays as it is.
        await new Promise<void>((enter) => line.push(enter));
      } else {
        running += 1;
      }
      try {
        return await work();
      } finally {
        const next = line.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}

/** One after the other per key; different keys do not wait for each other. */
export function createTurns(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
