import { hostname } from 'node:os';
import { join } from 'node:path';
import { lastLines } from '#platform/process/last-lines.ts';

const LOOKED_AT = 400;
const KEPT = 8;
const LONGEST = 240;

/**
 * The last lines that an instance logged, from its supervisor's file: they are there to the very last, while what went
 * to the telemetry store left in batches. Empty for an instance of another machine.
 */
export async function lastWords(
  dataDir: string,
  instance: { id: string; name: string | null; host: string },
): Promise<string[]> {
  if (instance.name === null || instance.host !== hostname()) return [];
  const lines = await lastLines(join(dataDir, 'logs', `${instance.name}.log`), LOOKED_AT);
  return lines
    .map((line) => readable(line, instance.id))
    .filter((line) => line !== undefined)
    .slice(-KEPT);
}

/** Its own lines only: the file goes on with the process that took its place. */
function readable(line: string, instance: string): string | undefined {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (entry['service.instance.id'] !== instance) return undefined;
  const time = String(entry['time'] ?? '').slice(11, 19);
  const error = (entry['err'] as { message?: string } | undefined)?.message;
  return `${time} ${entry['level'] ?? ''} ${entry['message'] ?? ''}${error ? `: ${error}` : ''}`
    .trim()
    .slice(0, LONGEST);
}
