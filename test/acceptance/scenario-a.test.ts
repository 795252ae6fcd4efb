import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { File } from '#contract/files.ts';
import type { Trace, TraceSpan } from '#contract/telemetry.ts';
import { writeSample } from '../../src/cli/demo/sample.ts';
import { startCaudal, until } from './caudal.ts';
import { createClient } from './client.ts';

/** Every step of the way of a file, as it is called in the trace. */
const STEPS: [step: string, service: string, name: RegExp][] = [
  ['click', 'caudal-cli', /^caudal upload/],
  ['init', 'caudal-cli', /^begin upload$/],
  ['sign', 'caudal-api', /^sign upload$/],
  ['put part', 'caudal-cli', /^put part$/],
  ['put part', 'caudal-api', /^put part$/],
  ['complete', 'caudal-cli', /^complete upload$/],
  ['complete', 'caudal-api', /^complete upload$/],
  ['enqueue', 'caudal-api', /^enqueue load$/],
  ['process', 'caudal-worker', /^process load$/],
  ['sniff', 'caudal-worker', /^sniff$/],
  ['read', 'caudal-worker', /^read$/],
  ['write', 'caudal-worker', /^write$/],
  ['commit', 'caudal-worker', /^commit$/],
];

/** Spans whose parent is not here: the client's own, or one that ended after its children and comes in a later export. */
function rootsOf(spans: readonly TraceSpan[]): TraceSpan[] {
  const ids = new Set(spans.map(({ span_id }) => span_id));
  return spans.filter(({ parent_span_id }) => !parent_span_id || !ids.has(parent_span_id));
}

/** No span waits for its parent: what has none here was called by one client. */
const joined = (spans: readonly TraceSpan[]) =>
  new Set(rootsOf(spans).map(({ parent_span_id }) => parent_span_id)).size === 1;

const missing = (spans: readonly TraceSpan[], steps = STEPS) =>
  steps.filter(([, service, name]) => !spans.some((span) => span.service === service && name.test(span.name)));

const caudal = await startCaudal();
const client = createClient(caudal.url, caudal.admin.token);
const path = join(caudal.directory, 'service_reviews.csv');
const sample = await writeSample(path);

describe('A: from a CSV on a laptop to a table', () => {
  async function countsAreTrue(file: File, dataset: string): Promise<void> {
    assert.equal(file.state, 'loaded', JSON.stringify(file.error));
    assert.equal(file.dataset, dataset);
    const { rows, bad } = sample;
    const { skipped: _, ...account } = file.accounting ?? { skipped: [] };
    assert.deepEqual(account, { read: rows + bad, accepted: rows, quarantined: bad, duplicates: 0 });
    const [found] = await client.sql(
      `SELECT count(*) AS n, count(DISTINCT review_id) AS ids, count(review) AS texts,
              count(*) FILTER (review LIKE '%' || chr(10) || '%') > 0 AS of_many_lines FROM "${dataset}"`,
    );
    assert.deepEqual(found, { n: rows, ids: rows, texts: rows, of_many_lines: true });
    const description = await client.get(`/datasets/${dataset}`);
    const types = Object.fromEntries(
      description.columns.map((column: { name: string; type: string }) => [column.name, column.type]),
    );
    assert.deepEqual([types.reviewed_on, types.stars, types.would_return], ['date', 'integer', 'boolean']);
    assert.match(types.amount, /^(number|decimal)/);
    const waiting = await client.get(`/datasets/${dataset}/quarantine`);
    assert.equal(waiting.items.length, bad);
  }

  async function wholeTrace(traceId: string, steps = STEPS): Promise<Trace> {
    let trace: Trace | undefined;
    return until(
      `the whole trace ${traceId}`,
      async () => {
        const answer = await client.call('GET', `/telemetry/traces/${traceId}`);
        if (answer.status !== 200) return undefined;
        trace = answer.body as Trace;
        return missing(trace.spans, steps).length === 0 && joined(trace.spans) ? trace : undefined;
      },
      30_000,
    ).catch((error: Error) => {
      const spans = trace?.spans ?? [];
      const name = (span: TraceSpan) => `${span.service} ${span.name}`;
      throw new Error(
        `${error.message}; missing ${JSON.stringify(missing(spans, steps))} of ${[...new Set(spans.map(name))]}; ` +
          `roots ${rootsOf(spans).map((span) => `${name(span)} below ${span.parent_span_id}`)}`,
      );
    });
  }

  test('by the command line: counts, types, and one trace over three processes', async () => {
    const done = await caudal.command(['upload', path, '--dataset', 'by_cli', '--json'], { expect: 0 });
    const [file] = JSON.parse(done.stdout) as File[];
    assert.ok(file?.trace_id);
    await countsAreTrue(file, 'by_cli');
    const { spans } = await wholeTrace(file.trace_id);
    assert.deepEqual(
      rootsOf(spans).map((span) => span.name),
      spans.filter((span) => /^caudal upload/.test(span.name)).map((span) => span.name),
      'every span descends from the command',
    );
    assert.equal(spans.filter(({ name, service }) => name === 'put part' && service === 'caudal-api').length, 4);
    const shown = await caudal.command(['trace', file.trace_id], { expect: 0 });
    assert.match(shown.stdout, /process load/);
  });

  test('by HTTP: the loader continues the trace that the client sent, and every row leads to it', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    const upload = await client.uploadPath(path, {
      dataset: 'by_http',
      trace: (_name, _attributes, call) => call({ traceparent }),
    });
    const { file, task } = await upload.done;
    assert.equal(file.state === 'stored' || file.state === 'loading', true);
    assert.equal(task?.trace_id, traceId);
    const loaded = await client.settled(file.id);
    await countsAreTrue(loaded, 'by_http');
    assert.equal(loaded.trace_id, traceId);
    await wholeTrace(
      traceId,
      STEPS.filter(([, service]) => service !== 'caudal-cli'),
    );

    const joined = await client.sql(
      `SELECT sources.trace_id, sources.file_id, count(*) AS n, min(by_http._line) AS first_line
       FROM by_http JOIN sources ON by_http._source = sources.id GROUP BY ALL`,
    );
    assert.deepEqual(joined, [{ trace_id: traceId, file_id: file.id, n: sample.rows, first_line: 2 }]);
  });

  test('deleting the file takes its rows with it and leaves the others', async () => {
    const [file] = (await client.get('/files?limit=1')).items as File[];
    assert.equal(file?.dataset, 'by_http');
    assert.equal((await client.call('DELETE', `/files/${file?.id}`)).status < 300, true);
    await until('the end of the rows', async () => {
      const [{ n } = {}] = await client.sql('SELECT count(*) AS n FROM by_http');
      return n === 0 || undefined;
    });
    assert.deepEqual(await client.sql('SELECT count(*) AS n FROM by_cli'), [{ n: sample.rows }]);
  });
});
