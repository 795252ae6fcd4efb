import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '#kernel/backoff.ts';
import type { Clock } from '#kernel/clock.ts';
import { counter } from '#platform/observe/metrics/instruments.ts';
import type { Delivery, RecordSender, Sent } from '#platform/observe/records.ts';
import { type Joined, joiner, type LogEntry } from './entry.ts';
import { type Follower, follow } from './follow.ts';
import { FORMATS, type FormatName } from './formats.ts';
import { positionsIn } from './positions.ts';

export interface TailOptions {
  format: FormatName;
  path: string;
  /** Where positions are kept. */
  directory: string;
  /** To an intake; `service` is the records' `service.name`. */
  open(service: string): RecordSender | undefined;
  clock: Clock;
  /** What may be sent of it in a minute; the rest waits in the file. */
  bytesPerMinute: number;
  warn(fields: { path: string }, message: string): void;
}

export interface Tail {
  /** Bytes that are not read yet. */
  behind(): Promise<number>;
  /** Resolves when the batch on its way has arrived or was called off. */
  stop(): Promise<void>;
}

const LOOK_MS = 500;
/** Looks without anything new after which an entry is taken to be whole. */
const QUIET_LOOKS = 2;
const RETRY = { base: 250, cap: 10_000 };
const MINUTE_MS = 60_000;

/**
 * Follows one log and sends its entries on: one batch at a time, and no byte is read while it is on its way, so a flood
 * or an absent intake costs one chunk of memory. The position moves when the intake has answered: after a crash at most
 * that batch comes twice, and none is missing.
 * @returns undefined where logs are sent nowhere
 */
export function startTail(options: TailOptions): Tail | undefined {
  const { format, path, clock, open } = options;
  const { service, continues, parse } = FORMATS[format];
  const opened = open(service(path));
  if (!opened) return undefined;
  const sender: RecordSender = opened;
  const stopping = new AbortController();
  const warn = seldom(clock, (message) => options.warn({ path }, `tail: ${message}`));
  const positions = positionsIn(options.directory, path);
  const waitFor = pace(clock, options.bytesPerMinute);
  const rest = (ms: number) => delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
  let log: Follower | undefined;

  async function pass(to: Follower, entries: readonly Joined[]): Promise<void> {
    const last = entries.at(-1);
    if (!last) return;
    const records = entries.filter(({ text }) => text !== '').map(({ text, cut }) => recordOf(parse(text), path, cut));
    const delivery = records.length === 0 ? 'taken' : await deliver(sender, records, stopping.signal, warn);
    if (delivery === 'failed') return;
    counter('caudal.tail.records').add(records.length, { 'log.file.path': path, 'caudal.outcome': delivery });
    await to.commit(last.last);
    await rest(waitFor(entries.reduce((sum, { text }) => sum + text.length, 0)));
  }

  async function goOn(from: Follower): Promise<void> {
    const joined = joiner(continues);
    for (let quiet = 0; !stopping.signal.aborted; ) {
      const lines = await from.read();
      quiet = lines.length > 0 ? 0 : quiet + 1;
      if (lines.length > 0) await pass(from, joined.add(lines));
      else {
        if (quiet >= QUIET_LOOKS) await pass(from, joined.flush());
        await rest(LOOK_MS);
      }
    }
  }

  /** After any trouble from the kept position again: what was read and not sent is read anew. */
  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      log = follow({ path, positions, now: () => clock.monotonic(), warn });
      try {
        await goOn(log);
      } catch (error) {
        warn((error as Error).message);
        await rest(LOOK_MS);
      } finally {
        await log.close();
      }
    }
  }

  const running = run();
  return {
    behind: async () => (await log?.behind()) ?? 0,
    async stop() {
      stopping.abort();
      await running;
      await sender.close();
    },
  };
}

/** How long to wait after so many bytes: one noisy log must not push out of the store what others send. */
function pace(clock: Clock, perMinute: number): (bytes: number) => number {
  let began = clock.monotonic();
  let sent = 0;
  return (bytes) => {
    const passed = clock.monotonic() - began;
    if (passed >= MINUTE_MS) {
      began += passed;
      sent = 0;
    }
    sent += bytes;
    return sent < perMinute ? 0 : Math.max(0, MINUTE_MS - passed);
  };
}

function recordOf(entry: LogEntry, path: string, cut: boolean): LogEntry {
  return {
    ...entry,
    attributes: { ...entry.attributes, 'log.file.path': path, ...(cut ? { 'caudal.log.cut': true } : {}) },
  };
}

/** Again and again until there is an answer: what an intake refuses for good is not tried again. */
async function deliver(
  sender: RecordSender,
  records: readonly LogEntry[],
  signal: AbortSignal,
  warn: (message: string) => void,
): Promise<Delivery> {
  for (let attempt = 0; ; attempt += 1) {
    const { delivery, reason } = await unlessStopping(sender.send(records), signal);
    if (delivery === 'refused') warn(`${records.length} records were refused: ${reason}`);
    if (delivery !== 'failed' || signal.aborted) return delivery;
    if (attempt > 3) warn(`the intake does not answer; nothing is read until it does: ${reason}`);
    await delay(backoffDelay(attempt, RETRY), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return 'failed';
  }
}

async function unlessStopping(sending: Promise<Sent>, signal: AbortSignal): Promise<Sent> {
  const { promise, resolve } = Promise.withResolvers<Sent>();
  const stop = () => resolve({ delivery: 'failed', reason: 'stopping' });
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([sending, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The same trouble comes back at every look. */
function seldom(clock: Clock, tell: (message: string) => void): (message: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (message) => {
    if (clock.monotonic() - last < MINUTE_MS) return;
    last = clock.monotonic();
    tell(message);
  };
}
