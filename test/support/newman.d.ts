/** newman brings no types; this is as much of it as the tests use. */
declare module 'newman' {
  interface Failure {
    source?: { name?: string };
    error: { test?: string; message: string };
  }
  interface Summary {
    run: { failures: Failure[]; stats: Record<'requests' | 'assertions', { total: number; failed: number }> };
  }
  interface RunOptions {
    collection: unknown;
    envVar: { key: string; value: string }[];
    delayRequest?: number;
    timeoutRequest?: number;
  }
  function run(options: RunOptions, done: (error: Error | null, summary: Summary) => void): void;
  const newman: { run: typeof run };
  export default newman;
  export type { Summary };
}
