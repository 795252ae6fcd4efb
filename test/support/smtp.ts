import { after } from 'node:test';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export interface SmtpTestServer {
  /** `smtp://127.0.0.1:port`. */
  url: string;
  /** What arrived, in its order. */
  mails: Email[];
  stop(): Promise<void>;
  /** Again, on the port that it had. */
  start(): Promise<void>;
}

/** A real SMTP server that keeps what it is sent; it ends with the test file. */
export async function smtpServer(): Promise<SmtpTestServer> {
  let server: SMTPServer | undefined;
  let port = 0;
  const mails: Email[] = [];
  const start = async (): Promise<void> => {
    const running = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      onData(stream, _session, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          PostalMime.parse(Buffer.concat(chunks)).then((mail) => {
            mails.push(mail);
            done();
          }, done);
        });
      },
    });
    running.on('error', () => undefined);
    await new Promise<void>((resolve) => running.listen(port, '127.0.0.1', resolve));
    port = (running.server.address() as { port: number }).port;
    server = running;
  };
  const stop = async (): Promise<void> => {
    const running = server;
    server = undefined;
    if (running) await new Promise<void>((resolve) => running.close(resolve));
  };
  await start();
  after(stop);
  return {
    get url() {
      return `smtp://127.0.0.1:${port}`;
    },
    mails,
    stop,
    start,
  };
}
