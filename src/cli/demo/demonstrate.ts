import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Inserted } from '#contract/events.ts';
import type { File, FileLoad } from '#contract/files.ts';
import type { Trace } from '#contract/telemetry.ts';
import { formatBytes } from '#kernel/bytes.ts';
import { currentTraceId, withSpan } from '#platform/observe/tracing.ts';
import { Refused, segment } from '../client.ts';
import type { Context } from '../command.ts';
import { watchTask } from '../commands/tasks.ts';
import { showTrace } from '../commands/trace.ts';
import { accountingLine, count, instant, type List, type RowsAnswer, showRows } from '../show.ts';
import { textTable } from '../text-table.ts';
import { traced } from '../traced.ts';
import { uploadFile } from '../upload-file.ts';
import { type Sample, writeSample } from './sample.ts';

const FILE = 'service_reviews.csv';
const TOPIC = 'signups';
/** Reviews are long, and a log is read too. */
const CELL = 40;
/** Spans of all processes arrive within their batch delay of a second or two. */
const TRACE_TIMEOUT = 20_000;

/**
 * The main job on real input: generate, upload, load, account, look, ask, trace.
 * @throws when any of it does not end as it must, above all when rows are unaccounted for.
 */
export async function demonstrate(context: Context): Promise<void> {
  await traced('demo', context, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'caudal-demo-'));
    try {
      await show(context, join(directory, FILE));
      return 0;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
}

async function show(context: Context, path: string): Promise<void> {
  const { terminal } = context;
  const step = (text: string) => terminal.line(`\n${terminal.paint('bold', `▸ ${text}`)}`);

  step('a file: reviews with quoted text of many lines, and a few broken records');
  const sample = await writeSample(path);
  terminal.line(`${FILE}: ${formatBytes(sample.bytes)}, ${count(sample.rows)} good records, ${sample.bad} broken ones`);

  step('upload through signed URLs, load');
  const { file, traceId } = await uploadAndLoad(context, path);
  const load = checked(file, sample);

  step('the row account');
  terminal.line(`${load.dataset}: ${accountingLine(load.accounting)}`);
  await showQuarantine(context, load.dataset);

  step(`five rows of ${load.dataset}`);
  const client = await context.client();
  showRows(terminal, await client.get<RowsAnswer>(`datasets/${segment(load.dataset)}/rows`, { limit: 5 }), CELL);

  const query = `SELECT city, count(*) AS reviews, round(avg(stars), 2) AS stars, round(sum(amount), 2) AS amount FROM "${load.dataset}" GROUP BY city ORDER BY reviews DESC LIMIT 5`;
  step(query);
  showRows(terminal, await client.post<RowsAnswer>('sql', { query }));

  step('the trace, from this command to the commit');
  showWithoutDatabase(context, await wholeTrace(context, traceId));

  step(`an event: published to ${TOPIC}, read back, and its trace`);
  await publishAndRead(context);
  terminal.line('\ndemonstration: done');
}

/** @throws when the answer, the row and the source's trace do not belong together */
async function publishAndRead(context: Context): Promise<void> {
  const { terminal } = context;
  const client = await context.client();
  const event = { name: 'Ana María', email: 'ana@example.org', at: new Date().toISOString() };
  const traceId = await withSpan('publish', { carrier: {} }, async () => {
    const answer = await client.post<Inserted>(`topics/${TOPIC}/events?wait=true`, event);
    terminal.line(`accepted ${answer.accepted}, inserted ${answer.inserted}, quarantined ${answer.quarantined}`);
    if (answer.inserted !== 1) throw new Error('The event was published, but its row cannot be read.');
    return currentTraceId() ?? '';
  });
  await context.flush();
  const query = `SELECT r.name, r.email, s.trace_id FROM ${TOPIC} r JOIN sources s ON s.id = r._source WHERE s.trace_id = '${traceId}'`;
  const found = await client.post<RowsAnswer>('sql', { query });
  if (found.rows.length !== 1) throw new Error(`The event's row does not lead to its trace ${traceId}.`);
  showRows(terminal, found);
  showWithoutDatabase(context, await wholeTrace(context, traceId));
}

/** In a trace of its own, so that it is whole before this command ends. */
async function uploadAndLoad(context: Context, path: string): Promise<{ file: File; traceId: string }> {
  const { terminal, signal } = context;
  const client = await context.client();
  const result = await withSpan('upload and load', { carrier: {} }, async () => {
    const uploaded = await uploadFile({ path, client, terminal, signal });
    if (!uploaded.task) throw new Error('The gateway made no load task for the file.');
    await watchTask(context, uploaded.task.id, `${FILE} load`);
    return { file: await client.get<File>(`files/${uploaded.file.id}`), traceId: currentTraceId() ?? '' };
  });
  await context.flush();
  return result;
}

function checked(file: File, sample: Sample): FileLoad {
  if (file.error) throw new Error(`The load failed: ${file.error.message}`);
  const load = file.loads?.[0];
  if (!load) throw new Error(`The file is ${file.state}, but nothing was loaded.`);
  const { read, accepted, quarantined, duplicates } = load.accounting;
  const whole = read === accepted + quarantined + duplicates && read === sample.rows + sample.bad;
  if (!whole || accepted !== sample.rows) {
    throw new Error(
      `${count(sample.rows)} good and ${sample.bad} broken records were written, but ${accountingLine(load.accounting)}.`,
    );
  }
  return load;
}

interface Quarantined {
  line: number;
  reason: string;
  raw: string;
}

async function showQuarantine({ client, terminal }: Context, dataset: string): Promise<void> {
  const answer = await (await client()).get<List<Quarantined> | Quarantined[]>(
    `datasets/${segment(dataset)}/quarantine`,
    { limit: 10 },
  );
  const items = Array.isArray(answer) ? answer : answer.items;
  const columns = [
    { name: 'line', align: 'right' as const },
    { name: 'in quarantine because' },
    { name: 'as it stands in the file' },
  ];
  const rows = items.map(({ line, reason, raw }) => [String(line), reason, raw]);
  terminal.line(
    textTable(
      terminal,
      columns,
      rows.sort((a, b) => Number(a[0]) - Number(b[0])),
    ),
  );
}

/** Each statement is a span; for a first look the steps are enough. */
function showWithoutDatabase(context: Context, trace: Trace): void {
  const steps = trace.spans.filter(({ attributes }) => !('db.system.name' in attributes || 'db.system' in attributes));
  showTrace(context, { ...trace, spans: steps });
  const hidden = trace.spans.length - steps.length;
  if (hidden > 0) context.terminal.line(`and ${hidden} spans of database statements: caudal trace ${trace.trace_id}`);
}

const NEEDED = ['caudal-cli', 'caudal-api', 'caudal-worker'];

/** Processes send their spans a moment later: waits until all have, and no span waits for its parent. */
async function wholeTrace(context: Context, traceId: string): Promise<Trace> {
  const client = await context.client();
  const until = performance.now() + TRACE_TIMEOUT;
  for (;;) {
    const trace = await client.get<Trace>(`telemetry/traces/${traceId}`).catch((error: unknown) => {
      if (error instanceof Refused && error.status < 500 && error.status !== 404) throw error;
      return { trace_id: traceId, spans: [], logs: [] } satisfies Trace;
    });
    const missing = missingServices(trace);
    const late = performance.now() > until;
    if (missing.length === 0 && (late || isConnected(trace))) return trace;
    if (late) throw new Error(`The trace ${traceId} has no spans of ${missing.join(', ')}.`);
    await delay(250, undefined, { signal: context.signal });
  }
}

function missingServices({ spans }: Trace): string[] {
  const services = new Set(spans.map((span) => span.service));
  return NEEDED.filter((service) => !services.has(service));
}

function isConnected({ spans }: Trace): boolean {
  const known = new Set(spans.map((span) => span.span_id));
  return spans.every(({ parent_span_id }) => parent_span_id === null || known.has(parent_span_id));
}

/** For a data directory that is not empty. */
export async function sayWhatIsThere({ client, terminal }: Context): Promise<void> {
  const { items } = await (await client()).get<List<{ name: string; rows: number; updated_at: string }>>('datasets', {
    limit: 10,
  });
  if (items.length === 0)
    terminal.line('There is no dataset yet: drop a file in the console, or `./caudal upload FILE`.');
  for (const { name, rows, updated_at } of items)
    terminal.line(`  ${name}: ${count(rows)} rows, ${instant(updated_at)}`);
}
