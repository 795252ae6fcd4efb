import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import type { TelemetryProcessSettings } from '../fixtures/telemetry-process.ts';
import type { TelemetrySenderSettings } from '../fixtures/telemetry-sender.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');

export interface TelemetryProcess {
  origin: string;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  /** An orderly end. */
  stop(): Promise<void>;
}

/** The store and its intake in a process of its own; killed at the latest when the test file ends. */
export async function startTelemetryProcess(settings: TelemetryProcessSettings): Promise<TelemetryProcess> {
  const child = spawn(process.execPath, [join(FIXTURES, 'telemetry-process.ts'), JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  after(kill);
  const port = await firstLine(child);
  return {
    origin: `http://127.0.0.1:${port}`,
    kill,
    async stop() {
      child.stdin?.end();
      await ended;
    },
  };
}

/** Runs a sender to its end. @returns its carrier */
export async function runSender(settings: TelemetrySenderSettings): Promise<Record<string, string>> {
  const child = spawn(process.execPath, [join(FIXTURES, 'telemetry-sender.ts'), JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const carrier = await firstLine(child);
  await ended;
  return JSON.parse(carrier);
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('the child has no stdout');
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error(`the process ended (${child.exitCode ?? child.signalCode}) without a word`);
}
