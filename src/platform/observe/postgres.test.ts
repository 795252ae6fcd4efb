import assert from 'node:assert/strict';
import test from 'node:test';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { rows, sql, transaction } from '#platform/db/db.ts';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { startTelemetry } from './sdk.ts';
import { withSpan } from './tracing.ts';

test('queries below a span are spans of it; values and lone queries are not recorded', {
  skip: needsDatabase,
}, async (t) => {
  const spans = new InMemorySpanExporter();
  const telemetry = startTelemetry({ service: 's', instance: 'i', exporters: { spans, logs: null }, env: {} });
  t.after(() => telemetry.shutdown());
  const { db, pool } = await testDatabase();
  await rows(db, sql`SELECT 1`);
  await withSpan('work', {}, async () => {
    assert.deepEqual(await rows(db, sql`SELECT ${'secret'}::text AS a`), [{ a: 'secret' }]);
    await transaction(db, (tx) => rows(tx, sql`UPDATE files SET size = 2 WHERE false`));
    await assert.rejects(rows(db, sql`SELECT * FROM nowhere`));
    await new Promise<void>((resolve, reject) => {
      pool.query('SELECT 3', (error) => (error ? reject(error) : resolve()));
    });
  });
  await telemetry.flush();
  const seen = spans.getFinishedSpans();
  assert.deepEqual(
    seen.map((span) => [span.name, span.attributes['error.type']]),
    [
      ['SELECT', undefined],
      ['UPDATE files', undefined],
      ['COMMIT', undefined],
      ['SELECT nowhere', '42P01'],
      ['SELECT', undefined],
      ['work', undefined],
    ],
  );
  assert.doesNotMatch(JSON.stringify(seen.map((span) => span.attributes)), /secret/);
  const work = seen.at(-1)?.spanContext().spanId;
  assert.ok(seen.slice(0, -1).every((span) => span.parentSpanContext?.spanId === work));
});
