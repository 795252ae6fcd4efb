import { closeSync, constants, openSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';

/** Larger pieces than a pipe's 64 KiB save a turn of the event loop each. */
const BUFFER = 1 << 20;

/** The reading end of a named pipe; opened without waiting for a writer, read by libuv like any pipe. */
export function readFifo(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const options: SocketConstructorOpts & { highWaterMark: number } = {
    fd,
    readable: true,
    writable: false,
    highWaterMark: BUFFER,
  };
  return new Socket(options);
}

/** Ends a named pipe that perhaps nobody opened for writing: whoever reads it learns that nothing more comes. */
export function closeWriter(path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch {
    // nobody reads
  }
}
