import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface FlakyProxy {
  port: number;
  /** Breaks every connection and listens no more: connecting is refused. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  close(): Promise<void>;
}

/** Stands before a server and can take it away. */
export async function flakyProxy(host: string, port: number): Promise<FlakyProxy> {
  const open = new Set<Socket>();
  const make = () =>
    createServer((near) => {
      const far = connect(port, host);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        open.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          open.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
  let server = make().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as AddressInfo).port;
  const refuse = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of open) socket.resetAndDestroy();
    await closed;
  };
  return {
    port: own,
    refuse,
    async accept() {
      server = make().listen(own, '127.0.0.1');
      await once(server, 'listening');
    },
    close: refuse,
  };
}
