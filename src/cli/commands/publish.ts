import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import type { Inserted, Published } from '#contract/events.ts';
import { newId } from '#kernel/ids.ts';
import { currentTraceId } from '#platform/observe/tracing.ts';
import { readRecords } from '#platform/stream/records.ts';
import { type Client, segment } from '../client.ts';
import { type Command, type Context, EXIT, UsageError } from '../command.ts';
import { count } from '../show.ts';

/** One request carries at most so much: the gateway takes 10 MB. */
const MOST_BYTES = 4_000_000;
const MOST_LINES = 10_000;

export const command: Command = {
  usage: 'publish TOPIC [JSON | -f FILE | < events.ndjson]',
  description: 'The topic and a dataset of its name come into being with the first event.',
  examples: [
    [`caudal publish people '{"name": "Ana", "email": "ana@example.org"}'`, 'one event'],
    ['caudal publish people -f people.ndjson --wait', 'a file of them; answers when the rows can be read'],
  ],
  options: {
    file: { type: 'string', short: 'f', value: 'FILE', doc: 'JSON or NDJSON; - is the standard input' },
    wait: { type: 'boolean', short: 'w', doc: 'Wait until the rows can be read' },
    json: { type: 'boolean', doc: 'As JSON' },
  },
  arguments: { min: 1, max: 2 },
  traced: true,
  async run(context) {
    const [topic = ''] = context.args;
    const client = await context.client();
    const totals = { accepted: 0, inserted: 0, quarantined: 0, batches: [] as string[] };
    for (const body of parts(await eventsOf(context))) {
      const answer = await publish(client, topic, body, context.flag('wait'));
      totals.accepted += answer.accepted;
      totals.batches.push(answer.batch_id);
      if ('inserted' in answer) {
        totals.inserted += answer.inserted;
        totals.quarantined += answer.quarantined;
      }
    }
    show(context, topic, totals);
    return EXIT.ok;
  },
};

/** A retry after a lost answer appends nothing: the key is the request's own. */
async function publish(client: Client, topic: string, body: Buffer, wait: boolean): Promise<Published | Inserted> {
  const response = await client.call(`topics/${segment(topic)}/events`, {
    method: 'POST',
    query: wait ? { wait } : {},
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': newId() },
    body,
  });
  return (await response.json()) as Published | Inserted;
}

async function eventsOf(context: Context): Promise<Buffer> {
  const [topic = '', text] = context.args;
  const file = context.text('file');
  if (text !== undefined && file !== undefined) throw new UsageError('Give either the event or a file, not both.');
  if (text !== undefined) return written(topic, text);
  const bytes = file === undefined || file === '-' ? await buffer(context.stdin) : await readFile(file);
  const isDocument = /^\s*\[/.test(bytes.toString('utf8', 0, 200));
  const unlimited = { max_records: Number.MAX_SAFE_INTEGER, max_depth: 100 };
  return readRecords(bytes, isDocument ? 'json' : 'ndjson', unlimited).ndjson;
}

function written(topic: string, text: string): Buffer {
  try {
    return readRecords(Buffer.from(text), 'json').ndjson;
  } catch (error) {
    if (!existsSync(text)) throw error;
    throw new UsageError(`${text} is a file, not an event.`, `caudal publish ${topic} --file ${text}`);
  }
}

/** Whole lines, as many as one request takes. */
function* parts(ndjson: Buffer): Generator<Buffer> {
  let start = 0;
  let lines = 0;
  for (let at = ndjson.indexOf(10); at !== -1; at = ndjson.indexOf(10, at + 1)) {
    lines += 1;
    const next = ndjson.indexOf(10, at + 1);
    const full = lines === MOST_LINES || next === -1 || next - start > MOST_BYTES;
    if (!full) continue;
    yield ndjson.subarray(start, at + 1);
    start = at + 1;
    lines = 0;
  }
}

interface Totals {
  accepted: number;
  inserted: number;
  quarantined: number;
  batches: string[];
}

function show({ terminal, flag }: Context, topic: string, totals: Totals): void {
  const trace_id = currentTraceId();
  const { accepted, inserted, quarantined, batches } = totals;
  const waited = flag('wait') ? { inserted, quarantined } : {};
  if (flag('json')) {
    terminal.json({ topic, accepted, ...waited, batches, trace_id });
    return;
  }
  const rest = flag('wait') ? `, ${count(inserted)} inserted, ${count(quarantined)} quarantined` : '';
  terminal.line(`${topic}: ${count(accepted)} accepted${rest}`);
  if (trace_id) terminal.note(`trace ${trace_id}`);
}
