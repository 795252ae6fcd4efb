import { open } from 'node:fs/promises';
import type { Client } from '../../src/cli/client.ts';
import type { PartUrls, StartedUpload } from '../../src/contract/uploads.ts';
import { startChild } from '../harness/child.ts';
import { randomBytes } from '../harness/inputs.ts';
import { costOf } from '../harness/process-tree.ts';
import type { Puts } from '../harness/put.child.ts';
import type { Bench, Row } from '../harness/row.ts';
import { costs, megabytes, milliseconds, times } from '../harness/show.ts';
import { alternate, median } from '../harness/statistics.ts';
import { type Nginx, startNginx } from '../references/nginx.ts';

const PARALLEL = 4;
const MARK = '≥ 0.90 ×, memory flat';

type Send = (puts: Puts) => Promise<string[]>;

/** Signed part URLs, four at a time, until `complete` has answered: every byte hashed and on the disk. */
async function toCaudal(client: Client, send: Send, path: string, filename: string, size: number): Promise<void> {
  const started = await client.post<StartedUpload>('uploads', { filename, size });
  const numbers = Array.from({ length: started.part_count }, (_, index) => index + 1);
  const { urls } = await client.post<PartUrls>(`uploads/${started.upload_id}/urls`, { part_numbers: numbers });
  const parts = urls.map(({ part_number, url }) => ({
    url: new URL(url, `${client.url}/`).href,
    start: (part_number - 1) * started.part_size,
    end: Math.min(size, part_number * started.part_size),
  }));
  const etags = await send({ path, parts, parallel: PARALLEL });
  const tags = urls.map(({ part_number }, index) => ({ part_number, etag: etags[index] ?? '' }));
  await client.post(`uploads/${started.upload_id}/complete`, { parts: tags });
}

/** nginx buffers and renames; it neither hashes nor flushes. */
async function toNginx(nginx: Nginx, send: Send, path: string, size: number): Promise<void> {
  await send({ path, parts: [{ url: `${nginx.url}/upload.bin`, start: 0, end: size }], parallel: 1 });
}

/** A file that is no table: nothing loads it afterwards. */
export const upload: Row = async (bench: Bench) => {
  const size = bench.quick ? 256e6 : 1e9;
  const work = `upload ${megabytes(size)} through signed URLs, fsync'd, MD5`;
  const nginx = await startNginx();
  if (!nginx) {
    return [
      {
        row: 5,
        work,
        caudal: '—',
        reference: 'nginx PUT',
        ratio: '—',
        mark: MARK,
        held: undefined,
        note: 'there is no nginx on this machine',
      },
    ];
  }
  const sender = startChild<Puts, string[]>(new URL('../harness/put.child.ts', import.meta.url));
  const path = await randomBytes(size);
  try {
    const { ours, theirs } = await alternate(
      bench,
      async () =>
        (
          await costOf(bench.caudal.pid, () =>
            toCaudal(bench.caudal.client, sender.ask, path, `${bench.fresh('upload')}.bin`, size),
          )
        ).cost,
      async () => (await costOf(nginx.pid, () => toNginx(nginx, sender.ask, path, size))).cost,
    );
    const flushed = await durable(bench, nginx, sender.ask, path, size);
    const [mine, other] = [median(ours.map(({ ms }) => ms)), median(theirs.map(({ ms }) => ms))];
    return [
      {
        row: 5,
        work,
        caudal: milliseconds(mine),
        reference: `nginx PUT ${milliseconds(other)}`,
        ratio: times(other / mine),
        mark: MARK,
        held: other / mine >= 0.9,
        cost: costs(ours, theirs),
        note: `nginx does not flush: its PUT followed by one fsync takes ${milliseconds(flushed)}, ${times(flushed / mine)}`,
      },
    ];
  } finally {
    await Promise.all([sender.stop(), nginx.stop()]);
  }
};

/** What nginx's PUT takes until its bytes are as safe as Caudal's. */
async function durable(bench: Bench, nginx: Nginx, send: Send, path: string, size: number): Promise<number> {
  const times_ms: number[] = [];
  for (let round = 0; round < Math.min(3, bench.rounds); round += 1) {
    const began = performance.now();
    await toNginx(nginx, send, path, size);
    const file = await open(nginx.stored('upload.bin'), 'r+');
    await file.sync();
    await file.close();
    times_ms.push(performance.now() - began);
  }
  return median(times_ms);
}
