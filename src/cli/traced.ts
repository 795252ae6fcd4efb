import { newId } from '#kernel/ids.ts';
import { startTelemetry } from '#platform/observe/sdk.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import type { Context } from './command.ts';

const FLUSH_MS = 2_000;

/**
 * Runs a command in a trace of its own (service `caudal-cli`): its requests carry `traceparent`,
 * so the gateway and the workers continue it; its spans are sent when it ends.
 */
export async function traced(name: string, context: Context, work: () => Promise<number>): Promise<number> {
  const client = await context.client().catch(() => undefined);
  // Without a gateway there is nothing to trace; the command itself says what is wrong.
  if (!client) return work();
  const { url, token } = client;
  const telemetry = startTelemetry({
    service: 'caudal-cli',
    instance: newId(),
    version: context.version,
    environment: context.config().environment,
    endpoint: context.config().otlpEndpoint || url,
    headers: { authorization: `Bearer ${token}` },
    env: context.env,
  });
  context.flush = () => telemetry.flush(FLUSH_MS);
  try {
    return await withSpan(`caudal ${name}`, {}, async (span) => {
      const code = await work();
      span.setAttribute('process.exit.code', code);
      return code;
    });
  } finally {
    await telemetry.shutdown(context.signal.aborted ? FLUSH_MS / 4 : FLUSH_MS);
  }
}
