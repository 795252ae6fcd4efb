import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Task } from '../../../../src/contract/tasks.ts';
import { get, sessionFetch } from '../../api.ts';

const AGAIN_MS = 2_000;

export function isOpen({ status }: Pick<Task, 'status'>): boolean {
  return status === 'queued' || status === 'running';
}

/** A task as it stands now: read once, then told by the server until it has ended. */
export function useTask(id: string) {
  const client = useQueryClient();
  const queryKey = ['task', id];
  const task = useQuery({ queryKey, queryFn: ({ signal }) => get<Task>(`/tasks/${encodeURIComponent(id)}`, signal) });
  const open = task.data !== undefined && isOpen(task.data);
  useEffect(() => {
    if (!open) return;
    const stop = new AbortController();
    void follow(id, stop.signal, (seen) => client.setQueryData(['task', id], seen));
    return () => stop.abort();
  }, [id, open, client]);
  return task;
}

/** Reads the task's events by fetch, which notices the end of a session; a stream that breaks off is opened again. */
async function follow(id: string, signal: AbortSignal, show: (task: Task) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      const response = await sessionFetch(`/tasks/${encodeURIComponent(id)}/events`, { signal });
      if (!response.ok || !response.body) return;
      let text = '';
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        text += decoder.decode(chunk, { stream: true });
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        const last = events.flatMap(taskOf).at(-1);
        if (!last) continue;
        show(last);
        if (!isOpen(last)) return;
      }
    } catch {
      // Aborted, or the connection was lost: the loop's condition tells them apart.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** `data:` of one event; comments, which keep the line open, have none. */
function taskOf(event: string): Task[] {
  const data = event.split('\n').find((line) => line.startsWith('data: '));
  return data === undefined ? [] : [JSON.parse(data.slice(6)) as Task];
}
