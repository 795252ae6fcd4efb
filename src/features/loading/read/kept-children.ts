import type { NodeChild } from '#platform/process/node-child.ts';

export interface KeptChildren {
  /** One that has read for this workspace before. */
  take(workspaceId: string): NodeChild | undefined;
  /** Keeps it for a while, or ends it where there are enough or it has read enough. */
  give(child: NodeChild, workspaceId: string): void;
  all(): NodeChild[];
}

/** Files come in handfuls: who has none for so long gets a new child next time. */
const IDLE_MS = 5_000;
/** What a library leaks with each file stays small. */
const MOST_FILES = 64;

interface Kept {
  child: NodeChild;
  workspaceId: string;
  timer: NodeJS.Timeout;
}

/** Reader children between two files of one workspace. A child never reads for another one: what a file did to it stays there. */
export function keepChildren(most: number): KeptChildren {
  const kept: Kept[] = [];
  const files = new WeakMap<NodeChild, number>();
  const forget = (child: NodeChild): Kept | undefined => {
    const at = kept.findIndex((each) => each.child === child);
    const [found] = at < 0 ? [] : kept.splice(at, 1);
    clearTimeout(found?.timer);
    return found;
  };
  const end = (child: NodeChild): void => {
    forget(child);
    child.kill();
  };
  return {
    take(workspaceId) {
      const found = kept.findLast((each) => each.workspaceId === workspaceId);
      return found && forget(found.child)?.child;
    },
    give(child, workspaceId) {
      const read = (files.get(child) ?? 0) + 1;
      files.set(child, read);
      if (read >= MOST_FILES) return end(child);
      const [oldest] = kept;
      if (kept.length >= most && oldest) end(oldest.child);
      const timer = setTimeout(end, IDLE_MS, child);
      timer.unref();
      kept.push({ child, workspaceId, timer });
      void child.ended.then(() => forget(child));
    },
    all: () => kept.map(({ child }) => child),
  };
}
