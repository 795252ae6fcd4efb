import pg from 'pg';
import { backoffDelay } from '#kernel/backoff.ts';
import { createGate } from '#kernel/gate.ts';
import type { Logger } from '#platform/observe/log.ts';

export type Notified = (payload: string) => void;

export interface Listener {
  /** Calls `notified` for each NOTIFY; `missed` after a reconnection, when state must be read again. Returns the way to stop. */
  on(channel: string, notified: Notified, missed: () => void): () => void;
  close(): Promise<void>;
}

interface Subscription {
  channel: string;
  notified: Notified;
  missed: () => void;
}

const CHANNEL = /^[a-z_]+$/;

/** One LISTEN connection per process, made again when it is lost. */
export function createListener(url: string, log: Logger): Listener {
  const subscriptions = new Set<Subscription>();
  let client: pg.Client | undefined;
  let closed = false;
  let attempt = 0;
  let timer: NodeJS.Timeout | undefined;
  // A connection takes one statement at a time.
  const inTurn = createGate(1, Number.POSITIVE_INFINITY);

  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString: url, application_name: 'caudal-listen', keepAlive: true });
    next.on('error', () => undefined);
    next.on('end', () => {
      if (client === next) client = undefined;
      retry();
    });
    next.on('notification', ({ channel, payload }) => {
      for (const subscription of subscriptions)
        if (subscription.channel === channel) subscription.notified(payload ?? '');
    });
    await next.connect();
    await inTurn.run(async () => {
      for (const channel of new Set([...subscriptions].map((each) => each.channel)))
        await next.query(`LISTEN ${channel}`);
      client = next;
    });
    if (attempt > 0) for (const subscription of subscriptions) subscription.missed();
    attempt = 0;
  };
  const retry = (): void => {
    if (closed || timer) return;
    attempt += 1;
    timer = setTimeout(
      () => {
        timer = undefined;
        connect().catch((error) => {
          log.warn({ err: error }, 'listen: the database is away, trying again');
          retry();
        });
      },
      backoffDelay(attempt, { base: 100, cap: 5000 }),
    );
  };
  const first = connect().catch(() => retry());

  return {
    on(channel, notified, missed) {
      if (!CHANNEL.test(channel)) throw new TypeError(`not a channel: ${channel}`);
      const subscription = { channel, notified, missed };
      subscriptions.add(subscription);
      // Without a connection there is nothing to say yet: the next one listens to all that is subscribed.
      inTurn.run(async () => client?.query(`LISTEN ${channel}`)).catch(() => undefined);
      return () => subscriptions.delete(subscription);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await first;
      await client?.end();
    },
  };
}
