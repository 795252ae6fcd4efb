import { startChild } from '../harness/child.ts';
import { withPostgres } from '../harness/postgres.ts';
import type { Line } from '../harness/report.ts';
import type { Row } from '../harness/row.ts';
import { megabytes, milliseconds } from '../harness/show.ts';
import { median } from '../harness/statistics.ts';
import type { Question, TelemetryTimes, TelemetryWork } from '../harness/telemetry-store.child.ts';

const CHILD = new URL('../harness/telemetry-store.child.ts', import.meta.url);
const HOURS = 24;

/** What a question may take over the most spans; without a mark it is shown for its growth. */
const MARKS: Partial<Record<Question, number>> = {
  'trace by id': 50,
  'newest 100 logs in 1 h': 30,
  'rate of 50 series over 24 h': 200,
  'fleet of 50 systems over 24 h': 200,
  'map of 150 services over 24 h': 200,
};

/** A day's telemetry in three sizes, each a store of its own: what a question takes, and what lies on the disk. */
export const telemetryQueries: Row = async (bench) => {
  const sizes = bench.quick ? [1e4, 1e5, 1e6] : [1e5, 1e6, 1e7];
  const measured: TelemetryTimes[] = [];
  for (const spans of sizes) measured.push(await dayOf(spans, 2 * bench.rounds));
  const questions = Object.keys(measured[0]?.ms ?? {}) as Question[];
  const at = (times: TelemetryTimes | undefined, question: Question) => median(times?.ms[question] ?? []);
  const over = sizes.map((spans) => `10^${Math.log10(spans)}`).join(' → ');
  const shown = (of: (times: TelemetryTimes) => string) => measured.map(of).join(' → ');
  const notes = [
    `written in ${shown(({ write_ms }) => milliseconds(write_ms))}, merged in ${shown(({ compact_ms }) => milliseconds(compact_ms))}`,
    `all objects ${shown(({ bytes }) => megabytes(bytes))}, of which spans ${shown(({ span_bytes }) => megabytes(span_bytes))}`,
    `the asking process ${shown(({ rss }) => megabytes(rss))} resident`,
  ];
  return questions.map((question, index): Line => {
    const mark = MARKS[question];
    const last = at(measured.at(-1), question);
    return {
      row: 17,
      work: `${question}, ${over} spans in ${HOURS} h`,
      caudal: shown((times) => milliseconds(at(times, question))),
      reference: '—',
      ratio: '—',
      mark: mark === undefined ? '—' : `≤ ${mark} ms`,
      held: mark === undefined ? undefined : last <= mark,
      ...(notes[index] ? { note: notes[index] } : {}),
    };
  });
};

function dayOf(spans: number, rounds: number): Promise<TelemetryTimes> {
  return withPostgres('telemetry', async (url, directory) => {
    const child = startChild<TelemetryWork, TelemetryTimes>(CHILD);
    try {
      return await child.ask({ url, directory, spans, hours: HOURS, rounds });
    } finally {
      await child.stop();
    }
  });
}
