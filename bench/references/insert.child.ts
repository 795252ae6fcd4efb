import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import pg from 'pg';
import { answer } from '../harness/child.ts';

/** What one would write by hand: Fastify, a pool, one prepared INSERT per request. No token, no trace, no reading. */
const POOL = 16;

answer<{ url: string }, number>(async ({ url }) => {
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  await pool.query(
    'CREATE TABLE IF NOT EXISTS inserted (id bigint GENERATED ALWAYS AS IDENTITY, event jsonb NOT NULL)',
  );
  const app = fastify();
  app.post('/events', async (request, reply) => {
    await pool.query({
      name: 'insert',
      text: 'INSERT INTO inserted (event) VALUES ($1) RETURNING id',
      values: [JSON.stringify(request.body)],
    });
    return reply.code(202).send({ accepted: 1 });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
});
