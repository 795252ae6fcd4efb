import { setTimeout as delay } from 'node:timers/promises';
import { salesCsv } from '../harness/inputs.ts';
import { loadFile, startCaudal } from '../harness/installation.ts';
import { pssByProcess, pssOf } from '../harness/process-tree.ts';
import type { Row } from '../harness/row.ts';
import { megabytes, milliseconds } from '../harness/show.ts';
import { median } from '../harness/statistics.ts';

const QUIET_MS = 5000;
const MOST_BYTES = 450e6;

/** Installed, with data: from the command to "ready"; then what all processes take while nobody asks for anything. */
export const start: Row = async (bench) => {
  const caudal = await startCaudal();
  try {
    await loadFile(caudal, await salesCsv(100_000), 'warm.csv');
    const starts: number[] = [];
    for (let round = 0; round < bench.rounds; round += 1) starts.push(await caudal.restart());
    await delay(QUIET_MS);
    const bytes = pssOf(caudal.pid);
    const ms = median(starts);
    const largest = pssByProcess(caudal.pid)
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 7)
      .map(({ command, bytes: own }) => `${nameOf(command)} ${megabytes(own)}`);
    return [
      {
        row: 19,
        work: 'start to ready, warm data; idle memory (PSS)',
        caudal: `${milliseconds(ms)}; ${megabytes(bytes)}`,
        reference: '—',
        ratio: '—',
        mark: '≤ 3 s; ≤ 450 MB',
        held: ms <= 3000 && bytes <= MOST_BYTES,
        note: `idle: ${largest.join(', ')}`,
      },
    ];
  } finally {
    await caudal.stop();
  }
};

function nameOf(command: string): string {
  const role = /--roles (\S+)/.exec(command)?.[1];
  if (role) return role;
  if (/\bmain\.ts up\b/.test(command)) return 'supervisor';
  if (/postgres/.test(command)) return `postgres ${/^postgres: (.{1,40})/.exec(command)?.[1] ?? ''}`.trimEnd();
  return /([\w-]+)\/child\.ts/.exec(command)?.[1]?.concat(' child') ?? command.slice(0, 40);
}
