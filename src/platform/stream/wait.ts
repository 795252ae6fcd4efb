import { type Db, rows, sql } from '#platform/db/db.ts';
import type { Listener } from '#platform/db/listen.ts';
import { untraced } from '#platform/observe/tracing.ts';
import { type Appended, sourceId } from './batch.ts';

/** Drains tell here whose rows can be read from now on; the payload is the stream's id. */
export const DRAINED_CHANNEL = 'caudal_drained';

/** What became of a batch in the datasets that take its stream; the least good one where they differ. */
export interface BatchOutcome {
  inserted: number;
  quarantined: number;
  duplicates: number;
}

export interface BatchWaiter {
  /**
   * Resolves once every dataset that takes the stream holds the batch: readable from then on by whoever asks,
   * at every replica. @returns undefined when that is not so after `timeout_ms`; @throws the signal's reason
   */
  wait(appended: Appended, options: { timeout_ms: number; signal?: AbortSignal }): Promise<BatchOutcome | undefined>;
  close(): void;
}

interface Waiting {
  appended: Appended;
  resolve(outcome: BatchOutcome): void;
}

/** A drain tells as soon as it has committed; this only heals a message that was lost with its connection. */
const LOOK_AGAIN_MS = 1_000;

export function createBatchWaiter(db: Db, listener: Listener): BatchWaiter {
  const waiting = new Map<string, Set<Waiting>>();
  const looking = new Map<string, Promise<void>>();
  const again = new Set<string>();

  const look = (stream: string): void => {
    if (!waiting.has(stream)) return;
    if (looking.has(stream)) {
      again.add(stream);
      return;
    }
    const look_up = untraced(() => settle(db, stream, [...(waiting.get(stream) ?? [])]))
      .catch(() => undefined)
      .then(() => {
        looking.delete(stream);
        if (again.delete(stream)) look(stream);
      });
    looking.set(stream, look_up);
  };
  const lookAtAll = (): void => {
    for (const stream of waiting.keys()) look(stream);
  };
  const stopListening = listener.on(DRAINED_CHANNEL, look, lookAtAll);
  const timer = setInterval(lookAtAll, LOOK_AGAIN_MS);
  timer.unref();

  return {
    async wait(appended, { timeout_ms, signal }) {
      signal?.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<BatchOutcome | undefined>();
      const one: Waiting = { appended, resolve };
      const others = waiting.get(appended.stream_id) ?? new Set();
      waiting.set(appended.stream_id, others.add(one));
      const late = setTimeout(resolve, timeout_ms, undefined);
      const abort = (): void => reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      look(appended.stream_id);
      try {
        return await promise;
      } finally {
        clearTimeout(late);
        signal?.removeEventListener('abort', abort);
        others.delete(one);
        if (others.size === 0 && waiting.get(appended.stream_id) === others) waiting.delete(appended.stream_id);
      }
    },
    close() {
      clearInterval(timer);
      stopListening();
    },
  };
}

interface Account {
  id: string;
  accepted: number;
  quarantined: number;
  duplicates: number;
}

/** Only batches with something to tell have a row of their own in `sources`; of the others every record was inserted. */
async function settle(db: Db, stream: string, those: Waiting[]): Promise<void> {
  const subscriptions = await rows(
    db,
    sql<{ id: string; position: number }>`
      SELECT id, position FROM subscriptions WHERE topic_id = ${stream} AND kind = 'dataset'`,
  );
  const reached = Math.min(...subscriptions.map(({ position }) => position));
  const ready = those.filter(({ appended }) => appended.last_offset <= reached);
  if (ready.length === 0) return;
  const ids = (appended: Appended): string[] => subscriptions.map(({ id }) => sourceId(id, appended.batch_id));
  const found = await rows(
    db,
    sql<Account>`
      SELECT id, accepted, quarantined, duplicates FROM sources
      WHERE id = ANY(${ready.flatMap(({ appended }) => ids(appended))}::uuid[])`,
  );
  const accounts = new Map(found.map((account) => [account.id, account]));
  for (const { appended, resolve } of ready) {
    const told = ids(appended).flatMap((id) => accounts.get(id) ?? []);
    resolve(outcomeOf(appended, subscriptions.length > 0, told));
  }
}

function outcomeOf({ first_offset, last_offset }: Appended, kept: boolean, accounts: Account[]): BatchOutcome {
  const count = kept ? last_offset - first_offset + 1 : 0;
  const worst = accounts.sort((a, b) => a.accepted - b.accepted)[0];
  if (!worst) return { inserted: count, quarantined: 0, duplicates: 0 };
  return { inserted: worst.accepted, quarantined: worst.quarantined, duplicates: worst.duplicates };
}
