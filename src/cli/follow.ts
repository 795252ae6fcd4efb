import { setTimeout as delay } from 'node:timers/promises';
import type { Task } from '#contract/tasks.ts';
import { backoffDelay } from '#kernel/backoff.ts';
import { bodyOf, type Client, Refused, segment } from './client.ts';

const ENDED = new Set<string>(['succeeded', 'failed', 'cancelled']);
export const hasEnded = (task: Task): boolean => ENDED.has(task.status);

/** How often the stream may break in a row before we give up: a restart of the gateway takes a few seconds. */
const MOST_BREAKS = 20;

/**
 * A task until it has ended, told at every change. The gateway may restart meanwhile: the stream
 * is opened again, and the first event says where things stand.
 *
 * @throws Refused when the task is not ours, Unreachable when the gateway stays away.
 */
export async function followTask(
  client: Client,
  id: string,
  signal: AbortSignal,
  changed: (task: Task) => void,
): Promise<Task> {
  for (let breaks = 0; ; breaks += 1) {
    try {
      const response = await client.call(`tasks/${segment(id)}/events`, { headers: { accept: 'text/event-stream' } });
      for await (const { data } of serverSentEvents(await bodyOf(response))) {
        const task = JSON.parse(data) as Task;
        breaks = 0;
        changed(task);
        if (hasEnded(task)) return task;
      }
    } catch (error) {
      const passing = error instanceof Refused ? error.status >= 500 : !(error instanceof SyntaxError);
      if (signal.aborted || !passing || breaks >= MOST_BREAKS) throw error;
    }
    await delay(backoffDelay(Math.min(breaks, 5), { base: 100, cap: 2_000 }), undefined, { signal });
  }
}

export interface ServerSentEvent {
  event: string;
  data: string;
}

/** Source: WHATWG HTML, "Server-sent events", §9.2.6; comments (heartbeats) are skipped. */
export async function* serverSentEvents(body: AsyncIterable<Buffer | string>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  for await (const chunk of body) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') };
        event = 'message';
        data = [];
      } else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      else if (line.startsWith('event:')) event = line.slice(6).trim();
    }
  }
}
