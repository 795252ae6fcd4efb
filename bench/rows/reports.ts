import { startChild } from '../harness/child.ts';
import { datasetOf } from '../harness/dataset.ts';
import { costOf } from '../harness/process-tree.ts';
import type { Bench, Row } from '../harness/row.ts';
import { costs, megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import type { HucreReport } from '../references/hucre.child.ts';

const MOST_BYTES = 200e6;
const FIRST_BYTE_MS = 1000;

/** What hucre is to write: the columns of the sales, as Caudal shows them. */
const COLUMNS: HucreReport['columns'] = [
  { header: 'id', select: 'id::DOUBLE' },
  { header: 'sold_at', select: 'epoch_us(sold_at) / 86400000000.0 + 25569', numFmt: 'yyyy-mm-dd hh:mm:ss' },
  { header: 'city', select: 'city' },
  { header: 'channel', select: 'channel' },
  { header: 'customer', select: 'customer' },
  { header: 'quantity', select: 'quantity::DOUBLE' },
  { header: 'amount', select: 'amount::DOUBLE' },
  { header: 'paid', select: 'paid' },
  { header: 'note', select: 'note' },
];

/** All rows in groups, as a workbook. */
export const reports: Row = async (bench) => {
  const rows = bench.quick ? 200_000 : 1_000_000;
  const { name, parquet } = await datasetOf(bench, rows);
  const hucre = new URL('../references/hucre.child.ts', import.meta.url);
  const { ours, theirs } = await alternate(
    bench,
    () => costOf(bench.caudal.pid, () => readReport(bench, name)),
    async () => {
      // A process of its own for each, as Caudal's report has; its start is not counted.
      const child = startChild<HucreReport | null, Made>(hucre);
      try {
        return await costOf(child.pid, () => child.ask({ from: parquet, order: 'city, id', columns: COLUMNS }));
      } finally {
        await child.stop();
      }
    },
  );
  const [mine, other] = [median(ours.map(({ cost }) => cost.ms)), median(theirs.map(({ value }) => value.ms))];
  const first = median(ours.map(({ value }) => value.first_ms));
  const growth = median(ours.map(({ cost }) => cost.growth_bytes));
  return [
    {
      row: 12,
      work: `XLSX report of ${rows / 1e6} M rows in groups (${megabytes(ours[0]?.value.bytes ?? 0)})`,
      caudal: `${milliseconds(mine)}, first byte ${milliseconds(first)}`,
      reference: `hucre ${milliseconds(other)}, first byte ${milliseconds(median(theirs.map(({ value }) => value.first_ms)))}`,
      ratio: times(mine / other),
      mark: '≤ 1.00 ×, ≤ 200 MB, first byte ≤ 1 s',
      held: mine <= other && growth <= MOST_BYTES && first <= FIRST_BYTE_MS,
      cost: costs(
        ours.map(({ cost }) => cost),
        theirs.map(({ cost }) => cost),
      ),
      note: 'hucre writes the detail alone; the process that it runs in has started before.',
    },
  ];
};

interface Made {
  ms: number;
  first_ms: number;
  bytes: number;
}

async function readReport({ caudal }: Bench, dataset: string): Promise<Made> {
  const began = performance.now();
  const response = await caudal.client.call(`datasets/${dataset}/report.xlsx?group_by=city`);
  let bytes = 0;
  let first_ms = 0;
  for await (const chunk of response.body ?? []) {
    if (bytes === 0) first_ms = performance.now() - began;
    bytes += chunk.length;
  }
  return { ms: performance.now() - began, first_ms, bytes };
}
