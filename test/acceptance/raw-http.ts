import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  head: string;
  body: string;
}

export interface RawOptions {
  /** Close our side after sending. */
  end?: boolean;
  /** Answers to wait for. */
  answers?: number;
  ms?: number;
}

/**
 * Sends bytes as they are and takes the answers apart. Resolves with what came when the other side
 * closes, when so many answers are whole, or after `ms`.
 */
export function rawHttp(url: string, bytes: string | Buffer, options: RawOptions = {}): Promise<RawAnswer[]> {
  const { hostname, port } = new URL(url);
  const { end = false, answers = 1, ms = 10_000 } = options;
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes);
      if (end) socket.end();
    });
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(text));
    };
    const timer = setTimeout(finish, ms);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (parse(text).length >= answers) finish();
    });
    socket.on('close', finish);
    socket.on('error', finish);
  });
}

/** Whole answers with a Content-Length; informational ones are left out. */
function parse(text: string): RawAnswer[] {
  const found: RawAnswer[] = [];
  for (let rest = text; ; ) {
    const end = rest.indexOf('\r\n\r\n');
    const status = /^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1];
    if (end < 0 || status === undefined) return found;
    const head = rest.slice(0, end);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (rest.length < end + 4 + length) return found;
    if (!status.startsWith('1'))
      found.push({ status: Number(status), head, body: rest.slice(end + 4, end + 4 + length) });
    rest = rest.slice(end + 4 + length);
  }
}
