import { answer } from './child.ts';

/** Publishes a marked event and asks for it until it is there, again and again; a process of its own. */
export interface Visible {
  url: string;
  token: string;
  topic: string;
  ms: number;
}

export interface VisibleResult {
  /** From the sending to the answer that shows the row. */
  ms: number[];
}

answer<Visible, VisibleResult>(async ({ url, token, topic, ms }) => {
  const authorization = `Bearer ${token}`;
  const found: number[] = [];
  const until = performance.now() + ms;
  for (let probe = 1; performance.now() < until; probe += 1) {
    const began = performance.now();
    const sent = await fetch(`${url}/topics/${topic}/events`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ id: -probe, probe }),
    });
    if (sent.status !== 202) throw new Error(`publish: ${sent.status} ${await sent.text()}`);
    await sent.arrayBuffer();
    for (let seen = false; !seen; ) {
      const path = `${url}/datasets/${topic}/rows?where[probe]=${probe}&select=id`;
      const answered = await fetch(path, { headers: { authorization } });
      if (!answered.ok) throw new Error(`rows: ${answered.status} ${await answered.text()}`);
      seen = ((await answered.json()) as { rows: unknown[] }).rows.length > 0;
    }
    found.push(performance.now() - began);
  }
  return { ms: found };
});
