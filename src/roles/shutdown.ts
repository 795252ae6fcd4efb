import type { Logger } from '#platform/observe/log.ts';

export interface Phase {
  name: string;
  /** The longest it may take, in ms. */
  limit: number;
  run(): Promise<unknown>;
}

/** Runs the phases one after another; one that fails or takes too long is named and does not hold up the next. */
export async function shutDown(phases: Phase[], log: Logger): Promise<void> {
  for (const { name, limit, run } of phases) {
    const started = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, limit, 'late');
    });
    try {
      const outcome = await Promise.race([run().then(() => 'done' as const), late]);
      const ms = Math.round(performance.now() - started);
      if (outcome === 'late') log.warn({ phase: name, ms }, 'shutdown: this phase took too long, going on');
      else log.debug({ phase: name, ms }, 'shutdown: phase done');
    } catch (error) {
      log.error({ phase: name, err: error }, 'shutdown: this phase failed, going on');
    } finally {
      clearTimeout(timer);
    }
  }
}
