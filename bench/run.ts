/**
 * `make bench`: Caudal against programs that nobody here wrote, in the same run, in turn.
 *
 *   node bench/run.ts                 every row
 *   node bench/run.ts 1 9             these rows
 *   node bench/run.ts --quick         smaller inputs, fewer rounds: to see whether something moved
 *   node bench/run.ts --write         also puts these rows into docs/benchmarks.md
 *
 * Everything runs on a private installation in the system's temporary directory, which must be on
 * a real disk (TMPDIR names another); inputs are kept there for the next run.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { idle, startCaudal } from './harness/installation.ts';
import { type Line, machine, table, writeReport } from './harness/report.ts';
import type { Bench, Row } from './harness/row.ts';
import { charts } from './rows/charts.ts';
import { eventBatches, singleEvents, visibility } from './rows/events.ts';
import { hotRows } from './rows/hot-rows.ts';
import { largeCsv, longTexts } from './rows/load.ts';
import { exports_, queries } from './rows/queries.ts';
import { reports } from './rows/reports.ts';
import { manyFiles, smallCsv } from './rows/small-loads.ts';
import { start } from './rows/start.ts';
import { tasks } from './rows/tasks.ts';
import { telemetryIntake } from './rows/telemetry-intake.ts';
import { telemetryQueries } from './rows/telemetry-queries.ts';
import { tracing } from './rows/tracing.ts';
import { upload } from './rows/upload.ts';
import { video } from './rows/video.ts';

const REPORT = join(import.meta.dirname, '../docs/benchmarks.md');

const ROWS: Record<number, Row> = {
  1: largeCsv,
  2: smallCsv,
  3: longTexts,
  4: manyFiles,
  5: upload,
  6: eventBatches,
  7: singleEvents,
  8: visibility,
  9: hotRows,
  10: queries,
  11: exports_,
  12: reports,
  13: charts,
  14: video,
  15: tracing,
  16: telemetryIntake,
  17: telemetryQueries,
  18: tasks,
  19: start,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  });
  const numbers = positionals.length > 0 ? positionals.map(Number) : Object.keys(ROWS).map(Number);
  const unknown = numbers.filter((number) => !ROWS[number]);
  if (unknown.length > 0)
    throw new Error(`there is no row ${unknown.join(', ')}; there are ${Object.keys(ROWS).join(', ')}`);
  console.log(machine());
  const lines = await measure(numbers, values.quick);
  console.log(`\n${table(lines)}\n`);
  if (values.write) writeReport(REPORT, lines);
}

async function measure(numbers: number[], quick: boolean): Promise<Line[]> {
  const caudal = await startCaudal();
  const stop = () => {
    void caudal.stop().then(() => process.exit(130));
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let datasets = 0;
  const bench: Bench = {
    caudal,
    quick,
    rounds: quick ? 3 : 5,
    fresh(stem) {
      datasets += 1;
      return `${stem}_${datasets}`;
    },
  };
  const lines: Line[] = [];
  try {
    for (const number of numbers) {
      await idle(caudal.client);
      const found = await (ROWS[number] as Row)(bench);
      console.log(`\n${table(found)}`);
      lines.push(...found);
    }
  } finally {
    await caudal.stop();
  }
  return lines;
}

await main();
