import { startChild } from '../harness/child.ts';
import { startCaudal } from '../harness/installation.ts';
import { costOf, privateOf, pssByProcess } from '../harness/process-tree.ts';
import type { Row } from '../harness/row.ts';
import { megabytes } from '../harness/show.ts';
import type { Spans, SpansResult } from '../harness/spans.child.ts';
import { median } from '../harness/statistics.ts';

const BATCH = 1000;
const CONNECTIONS = 4;
const PER_SECOND = 60_000;
const MOST_BYTES = 512e6;
/** A workspace may send as much as the machine takes. */
const SETTINGS = { CAUDAL_TELEMETRY_RATE_WORKSPACE: '1000GB', CAUDAL_TELEMETRY_RATE_SYSTEM: '1000GB' };

/** Spans by HTTP until they are on the disk, generator and gateway on the same cores; rounds follow each other without a pause. */
export const telemetryIntake: Row = async (bench) => {
  const caudal = await startCaudal(SETTINGS);
  const generator = startChild<Spans, SpansResult>(new URL('../harness/spans.child.ts', import.meta.url));
  const { url, token } = caudal.client;
  const load = { url, token, batch: BATCH, connections: CONNECTIONS, ms: bench.quick ? 5000 : 15_000 };
  const store = pssByProcess(caudal.pid).find(({ command }) => /--roles \S*telemetry/.test(command))?.pid ?? 0;
  let most = 0;
  const watching = setInterval(() => {
    most = Math.max(most, privateOf(store));
  }, 100);
  try {
    const rounds: { value: SpansResult; cost: { cpu_ms: number } }[] = [];
    for (let round = 0; round <= bench.rounds; round += 1) {
      const run = await costOf(caudal.pid, () => generator.ask(load));
      if (round > 0) rounds.push(run);
    }
    const perSecond = median(rounds.map(({ value }) => value.per_second));
    const cpu = median(rounds.map(({ value, cost }) => (1000 * cost.cpu_ms) / value.spans));
    const [last] = rounds;
    const refused = rounds.reduce((sum, { value }) => sum + value.refused, 0);
    return [
      {
        row: 16,
        work: `spans by OTLP, gzip protobuf, ${BATCH} an export, ${CONNECTIONS} connections, durable`,
        caudal: `${Math.round(perSecond)} spans/s; ${megabytes(most)}`,
        reference: '—',
        ratio: '—',
        mark: `≥ ${PER_SECOND} spans/s; ≤ ${megabytes(MOST_BYTES)}`,
        held: perSecond >= PER_SECOND && most <= MOST_BYTES,
        cost: `${cpu.toFixed(1)} µs a span`,
        note: `${last?.value.unpacked_bytes} bytes an export, ${last?.value.sent_bytes} compressed; ${refused} exports were told to come later and came; memory is the private resident memory of the process that holds the store, at its highest`,
      },
    ];
  } finally {
    clearInterval(watching);
    await Promise.all([generator.stop(), caudal.stop()]);
  }
};
