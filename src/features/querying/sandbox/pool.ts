import { type ChildLimits, type ChildSession, startChild } from './session.ts';

export interface ChildPool {
  /** One that the workspace left behind, or a child that has run nothing. @throws ChildGone */
  take(workspace: string): Promise<PooledChild>;
  /** One that the workspace left behind and that has seen no other relations than these, or one that has run nothing. */
  takeFor(workspace: string, relations: string): Promise<PooledChild>;
  /** Starts what should wait warm. */
  warmUp(): void;
  close(): Promise<void>;
}

export interface PooledChild {
  session: ChildSession;
  /** The relations it has seen, once it ran: only a query of the same workspace over the same ones may use it again. */
  seen: string | undefined;
  /** Queries it has run. */
  runs: number;
  /** Keeps it for the same workspace for a while; `seen` is undefined when it only parsed. */
  keep(workspace: string, seen: string | undefined): void;
  end(): void;
}

export interface PoolOptions extends ChildLimits {
  /** Children that wait, started. */
  warm: number;
  /** Most children kept after a query, and for how long (ms) and how many queries. */
  kept: number;
  kept_ms: number;
  most_runs: number;
  onError(error: unknown): void;
}

interface Kept {
  child: PooledChild;
  workspace: string;
  timer: NodeJS.Timeout;
}

/**
 * Children are disposable: whatever goes wrong, they are killed. Two things spare the ~110 ms that one
 * takes to start: some wait warm, and one that answered well is kept for further queries of the same
 * workspace over the same relations, at whatever versions. It is locked to the directories of those datasets and
 * can open nothing else (ADR 59).
 */
export function createPool(options: PoolOptions): ChildPool {
  const warm: Promise<ChildSession>[] = [];
  const kept: Kept[] = [];
  const living = new Set<ChildSession>();
  let closed = false;

  function start(): Promise<ChildSession> {
    const started = startChild(options).then((session) => {
      if (closed) void session.kill();
      else living.add(session);
      return session;
    });
    started.catch(() => undefined);
    return started;
  }

  function warmUp(): void {
    while (!closed && warm.length < options.warm) {
      const starting = start();
      warm.push(starting);
      starting.catch((error) => {
        const index = warm.indexOf(starting);
        if (index >= 0) warm.splice(index, 1);
        options.onError(error);
      });
    }
  }

  function pooled(session: ChildSession): PooledChild {
    const child: PooledChild = {
      session,
      seen: undefined,
      runs: 0,
      keep(workspace, seen) {
        child.seen = seen ?? child.seen;
        child.runs += 1;
        if (closed || !session.alive || child.runs >= options.most_runs || options.kept === 0) return child.end();
        while (kept.length >= options.kept) drop(kept[0] as Kept);
        const entry: Kept = { child, workspace, timer: setTimeout(() => drop(entry), options.kept_ms) };
        entry.timer.unref();
        kept.push(entry);
        warmUp();
      },
      end() {
        living.delete(session);
        void session.kill();
        warmUp();
      },
    };
    return child;
  }

  function drop(entry: Kept): void {
    forget(entry);
    entry.child.end();
  }

  function forget(entry: Kept): void {
    clearTimeout(entry.timer);
    kept.splice(kept.indexOf(entry), 1);
  }

  async function takeFresh(): Promise<PooledChild> {
    const session = await (warm.shift() ?? start());
    // One that died while it waited (out of memory on the machine, say) is replaced once.
    return pooled(session.alive ? session : await start());
  }

  async function takeKept(fits: (entry: Kept) => boolean): Promise<PooledChild> {
    const entry = kept.find((each) => each.child.session.alive && fits(each));
    if (!entry) return takeFresh();
    forget(entry);
    return entry.child;
  }

  return {
    warmUp,
    take: (workspace) => takeKept((each) => each.workspace === workspace),
    takeFor: (workspace, relations) =>
      takeKept((each) => each.workspace === workspace && each.child.seen === relations),
    async close() {
      closed = true;
      for (const entry of [...kept]) forget(entry);
      const starting = await Promise.allSettled(warm.splice(0));
      for (const each of starting) if (each.status === 'fulfilled') living.add(each.value);
      await Promise.all([...living].map((session) => session.kill()));
    },
  };
}
