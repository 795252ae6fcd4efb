import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { answer } from '../harness/child.ts';

/** The same rows over and over, a COPY and a commit for each batch, from one client. */
export interface Copying {
  url: string;
  lines: string[];
  ms: number;
}

export interface CopyResult {
  rows: number;
  seconds: number;
}

answer<Copying, CopyResult>(async ({ url, lines, ms }) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('CREATE TABLE IF NOT EXISTS copied (event text NOT NULL)');
    await client.query('TRUNCATE copied');
    const batch = Buffer.from(`${lines.join('\n')}\n`);
    let batches = 0;
    const began = performance.now();
    while (performance.now() - began < ms) {
      await pipeline(Readable.from([batch]), client.query(from('COPY copied FROM STDIN')));
      batches += 1;
    }
    return { rows: batches * lines.length, seconds: (performance.now() - began) / 1000 };
  } finally {
    await client.end();
  }
});
