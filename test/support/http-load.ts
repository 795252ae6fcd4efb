import { connect } from 'node:net';

/** Asks one thing over and over, on each of some connections that stay open. */
export interface HttpLoad {
  port: number;
  method?: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  /** Every `%n` in it is the next number, from `first` on. */
  body?: string;
  first?: number;
  connections: number;
  /** Ends after so long, or after so many requests, whichever comes first. */
  ms: number;
  requests?: number;
  /** Requests that are begun in a second, over all connections; absent: as fast as they are answered. */
  per_second?: number;
}

export interface HttpLoadResult {
  requests: number;
  /** Answers that are no 2xx. */
  refused: number;
  per_second: number;
  /** Numbers that stood in bodies: from `first`, so many. */
  numbers: number;
  /** Latency of an answer, ms. */
  p50: number;
  p99: number;
}

/**
 * Raw sockets: parsing no more of an answer than its status and length keeps the generator cheaper than any server it
 * measures. Only for answers with Content-Length. @throws when a connection breaks
 */
export async function httpLoad(load: HttpLoad): Promise<HttpLoadResult> {
  const { port, connections, ms, per_second = Number.POSITIVE_INFINITY, requests = Number.POSITIVE_INFINITY } = load;
  const next = writer(load);
  const latencies: number[] = [];
  let refused = 0;
  let begun = 0;
  const began = performance.now();
  const until = began + ms;
  /** When the next request may begin; undefined: there is none. */
  const turn = (): number | undefined => {
    const at = began + (begun / per_second) * 1000;
    if (begun >= requests || Math.max(at, performance.now()) >= until) return undefined;
    begun += 1;
    return at;
  };
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true);
      let asked = 0;
      let pending = Buffer.alloc(0);
      const ask = () => {
        const at = turn();
        if (at === undefined) return socket.destroy();
        const wait = at - performance.now();
        if (wait > 0) setTimeout(send, wait);
        else send();
      };
      const send = () => {
        asked = performance.now();
        socket.write(next.request());
      };
      socket.once('connect', ask).on('error', reject);
      socket.once('close', () => resolve());
      socket.once('end', () => reject(new Error('the server closed a connection')));
      socket.on('data', (chunk) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        const length = answerLength(pending);
        if (length === undefined || pending.length < length) return;
        if (pending[9] !== 0x32) refused += 1;
        pending = pending.subarray(length);
        latencies.push(performance.now() - asked);
        ask();
      });
    });
  await Promise.all(Array.from({ length: connections }, one));
  const seconds = (performance.now() - began) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
  return {
    ...{ requests: latencies.length, refused, per_second: latencies.length / seconds, numbers: next.numbers() },
    ...{ p50: at(0.5), p99: at(0.99) },
  };
}

function writer({ port, method = 'GET', path, headers, body, first = 0 }: HttpLoad) {
  const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers }).map(([name, value]) => `${name}: ${value}`);
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n`;
  const bare = Buffer.from(`${head}\r\n`);
  const parts = body?.split('%n') ?? [];
  let number = first;
  return {
    numbers: () => number - first,
    request(): Buffer {
      if (body === undefined) return bare;
      let text = parts[0] ?? '';
      for (let part = 1; part < parts.length; part += 1) text += number++ + (parts[part] ?? '');
      return Buffer.from(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    },
  };
}

const LENGTH = Buffer.from('\r\ncontent-length: ');

/** Bytes of head and body; undefined until the head is there. */
function answerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const at = bytes.indexOf(LENGTH);
  if (at < 0 || at > end) throw new Error(`an answer without Content-Length: ${bytes.toString('latin1', 0, end)}`);
  return end + 4 + Number.parseInt(bytes.toString('latin1', at + LENGTH.length, at + LENGTH.length + 12), 10);
}
