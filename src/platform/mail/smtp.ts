import type { Transporter } from 'nodemailer';
import type { Mail } from '#contract/mail.ts';

export interface SmtpOptions {
  /** `smtp://user:password@host:port` or `smtps://…`; STARTTLS where the server offers it. */
  url: string;
  /** `Caudal <caudal@example.org>`; empty: caudal@ and this host's name. */
  from: string;
}

export interface Mailer {
  /** `id` becomes the Message-ID: a server that gets it twice (we died before we noted it) can tell. @throws MailRefused, or what passes */
  send(mail: Mail, id: string): Promise<void>;
  close(): void;
}

/** The server says that it will never take this message (5xx): trying again would be rude. */
export class MailRefused extends Error {}

const TIMEOUT_MS = 10_000;

export function openMailer({ url, from }: SmtpOptions): Mailer {
  const { hostname } = new URL(url);
  const sender = from || `Caudal <caudal@${/^[\d.:[\]]+$/.test(hostname) ? 'localhost' : hostname}>`;
  const domain = /@([^\s@>]+)>?$/.exec(sender)?.[1] ?? 'localhost';
  let opened: Promise<Transporter> | undefined;
  return {
    async send({ to, subject, text, html }, id) {
      const message = { from: sender, to, subject, text, ...(html ? { html } : {}) };
      const automatic = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };
      try {
        opened ??= openTransport(url);
        const transport = await opened;
        await transport.sendMail({ ...message, messageId: `<${id}@${domain}>`, headers: automatic });
      } catch (error) {
        const code = (error as { responseCode?: number }).responseCode ?? 0;
        if (code >= 500 && code < 600) throw new MailRefused((error as Error).message, { cause: error });
        throw error;
      }
    },
    close: () => void opened?.then((transport) => transport.close()),
  };
}

/** Loaded with the first mail: it is a tenth of what a process that sends none would load. */
async function openTransport(url: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // A file or a URL in a message would be fetched by us.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}
