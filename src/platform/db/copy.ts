import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CompiledQuery } from 'kysely';
import { from as copyFrom } from 'pg-copy-streams';
import type { Tx } from './db.ts';

/**
 * `COPY … FROM STDIN` inside the caller's transaction, streaming. Kysely gives the driver what it was given, and
 * the driver takes a query object in place of a text. @returns rows copied
 */
export async function copyInto(tx: Tx, statement: string, text: AsyncIterable<string>): Promise<number> {
  const copy = copyFrom(statement);
  await tx.executeQuery(CompiledQuery.raw(copy as unknown as string));
  await pipeline(Readable.from(text), copy);
  return copy.rowCount;
}
