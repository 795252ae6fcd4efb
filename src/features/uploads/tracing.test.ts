import assert from 'node:assert/strict';
import test, { after, suite } from 'node:test';
import { InMemoryLogRecordExporter } from '@opentelemetry/sdk-logs';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { traceIdOf } from '#contract/carrier.ts';
import { first, sql } from '#platform/db/db.ts';
import { startTelemetry } from '#platform/observe/sdk.ts';
import { needsDatabase } from '../../../test/support/database.ts';
import { uploadHouse } from '../../../test/support/uploads.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const OTHER = '1bf7651916cd43dd8448eb211c80319c';
const traceparent = (trace: string): Record<string, string> => ({ traceparent: `00-${trace}-b7ad6b7169203331-01` });

suite('the trace of an upload', { skip: needsDatabase }, async () => {
  if (needsDatabase) return;
  const spans = new InMemorySpanExporter();
  const exporters = { spans, logs: new InMemoryLogRecordExporter() };
  const telemetry = startTelemetry({ service: 'caudal-test', instance: 'i1', exporters, env: {} });
  after(() => telemetry.shutdown());
  const house = await uploadHouse();
  const named = async (name: string): Promise<ReadableSpan[]> => {
    await telemetry.flush();
    return spans.getFinishedSpans().filter((span) => span.name === name);
  };

  test('one trace from the signer over every part to the task, whoever sends and completes', async () => {
    const size = 9 << 20;
    const begun = await house.call(
      'POST',
      '/uploads',
      { filename: 'a.csv', size },
      house.principal,
      traceparent(TRACE),
    );
    const { upload_id, file_id, part_size, urls } = begun.body;
    const put = async (part: number, headers: Record<string, string> = {}) => {
      const body = new Uint8Array(Math.min(part_size, size - (part - 1) * part_size));
      const response = await fetch(new URL(urls[part - 1].url, house.origin), { method: 'PUT', body, headers });
      return { part_number: part, etag: response.headers.get('etag') ?? '' };
    };
    const parts = [await put(1), await put(2, traceparent(OTHER))];
    const path = `/uploads/${upload_id}/complete`;
    const done = await house.call('POST', path, { parts }, house.principal, traceparent(OTHER));
    assert.equal(done.status, 202);

    const [signed] = await named('sign upload');
    assert.equal(signed?.spanContext().traceId, TRACE);
    const puts = await named('put part');
    assert.deepEqual(
      puts.map((span) => [span.attributes['caudal.part.number'], span.spanContext().traceId]),
      [
        [1, TRACE],
        [2, OTHER],
      ],
    );
    for (const span of puts) {
      assert.equal(span.attributes['caudal.workspace'], house.principal.workspace_id);
      assert.equal(span.attributes['caudal.file.id'], file_id);
    }
    const [completed] = await named('complete upload');
    assert.equal(completed?.spanContext().traceId, OTHER);
    const [enqueued] = await named('enqueue load');
    assert.equal(enqueued?.spanContext().traceId, TRACE);
    assert.equal(enqueued?.attributes['caudal.task.id'], done.body.task.id);

    const { db } = house.database;
    const task = await first(
      db,
      sql<{
        carrier: { traceparent: string };
        trace_id: string;
      }>`SELECT carrier, trace_id FROM tasks WHERE id = ${done.body.task.id}`,
    );
    assert.equal(traceIdOf(task?.carrier), TRACE);
    assert.equal(task?.carrier.traceparent.split('-')[2], enqueued?.spanContext().spanId);
    assert.equal(task?.trace_id, TRACE);
    assert.equal(done.body.file.trace_id, TRACE);
  });

  test('no span holds a signature', async () => {
    await telemetry.flush();
    const all = JSON.stringify(spans.getFinishedSpans().map((span) => [span.name, span.attributes, span.events]));
    assert.doesNotMatch(all, /signature=/);
  });
});
