/** One message as a feature writes it; the transport is the platform's. */
export interface Mail {
  to: string;
  subject: string;
  /** Plain text, lines as they shall be read. */
  text: string;
  /** The same for those who read HTML; without it the text alone is sent. */
  html?: string;
}

/** Resolves when the message is safely on its way (accepted by a server, or by an outbox). */
export type SendMail = (mail: Mail) => Promise<void>;
