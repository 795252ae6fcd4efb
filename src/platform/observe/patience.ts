import { backoffDelay } from '#kernel/backoff.ts';

interface ExportResult {
  code: number;
  error?: Error;
}
type Done = (result: ExportResult) => void;

/** What span and log exporters have in common. */
export interface Exporter<T> {
  export(items: T[], done: Done): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

export interface PatientExporter<T> {
  exporter: Exporter<T> & { forceFlush(): Promise<void> };
  /** No more waiting: what is being retried fails now, and what comes is tried once. */
  hurry(): void;
}

export interface Patience {
  /** After the first failure of a batch, for this long. */
  limitMs: number;
  retry: { base: number; cap: number };
}

/** An intake that restarts is back within a minute; the queue behind the batch is bounded. */
export const PATIENCE: Patience = { limitMs: 60_000, retry: { base: 500, cap: 5000 } };

/**
 * Tries a batch again until the intake is back. The OTLP exporter's own retries end after 13 s and cannot be
 * called off, so that a process that wants to end would hang on them: it gets one short try, and the waiting is
 * done here, with timers that hold no process.
 */
export function patient<T>(inner: Exporter<T>, patience: Patience = PATIENCE): PatientExporter<T> {
  const waiting = new Set<() => void>();
  let hurried = false;
  const attempt = (items: T[], done: Done, number: number, since: number): void => {
    inner.export(items, (result) => {
      const late = performance.now() - since > patience.limitMs;
      if (result.code === 0 || hurried || late || isFinal(result.error)) {
        done(result);
        return;
      }
      const timer = setTimeout(
        () => {
          waiting.delete(giveUp);
          attempt(items, done, number + 1, since);
        },
        backoffDelay(number, patience.retry),
      ).unref();
      const giveUp = (): void => {
        clearTimeout(timer);
        waiting.delete(giveUp);
        done(result);
      };
      waiting.add(giveUp);
    });
  };
  return {
    exporter: {
      export: (items, done) => attempt(items, done, 0, performance.now()),
      forceFlush: () => inner.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => inner.shutdown(),
    },
    hurry() {
      hurried = true;
      for (const giveUp of [...waiting]) giveUp();
    },
  };
}

/** An answer of 4xx will be the same next time; what could be tried again has no status here. */
export function isFinal(error: Error | undefined): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'number' && code >= 400 && code < 500;
}
