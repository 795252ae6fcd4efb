/**
 * Makes one workbook and ends: writing a million rows is ten seconds of processor that would keep a gateway from answering. Gets its
 * plan by IPC, writes the workbook to fd 3.
 */
import { once } from 'node:events';
import { Socket } from 'node:net';
import { DuckDBInstance } from '@duckdb/node-api';
import { CaudalError } from '#kernel/errors.ts';
import { makeReport } from './make-report.ts';
import type { FromReportChild, ReportPlan, ToReportChild } from './report-plan.ts';

/** Rows between two reports of progress. */
const STEP = 20_000;

const out = new Socket({ fd: 3, readable: false, writable: true });
// Nobody wants it any more.
out.on('error', () => process.exit(1));
process.on('disconnect', () => process.exit(1));

/** One thread: rows are numbered and written in order, and two that sort hold twice as much. */
async function open({ temp_directory }: ReportPlan['engine']): Promise<DuckDBInstance> {
  return DuckDBInstance.create(':memory:', {
    ...{ temp_directory, threads: '1' },
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_persistent_secrets: 'false',
  });
}

async function make(plan: ReportPlan): Promise<FromReportChild> {
  const connection = await (await open(plan.engine)).connect();
  await connection.run("SET GLOBAL TimeZone = 'UTC'");
  let said = 0;
  const made = await makeReport(connection, plan, {
    out,
    onRows(rows, all) {
      if (rows - said < STEP) return;
      said = rows;
      send({ type: 'progress', rows, all });
    },
  });
  out.end();
  await once(out, 'finish');
  return { type: 'done', rows: made.rows, groups: made.groups.length, truncated: made.rows < made.all };
}

function send(message: FromReportChild): void {
  process.send?.(message);
}

function failureOf(error: unknown): FromReportChild {
  const message = (error as Error).message;
  if (error instanceof CaudalError && error.code === 'invalid_input') {
    return { type: 'failed', code: 'invalid_input', message, field: error.errors?.[0]?.field ?? '' };
  }
  // What looks right in a filter and is not (2024-02-30) is found out by its cast.
  if (/^Conversion Error/.test(message)) {
    const [first = ''] = message.replace('Conversion Error: ', '').split('\n');
    return { type: 'failed', code: 'invalid_input', message: first, field: 'where' };
  }
  if (/^Out of Memory Error/.test(message)) {
    return { type: 'failed', code: 'sql_too_greedy', message: 'The report needs more memory than it may use.' };
  }
  return { type: 'failed', code: 'internal', message: (error as Error).stack ?? message };
}

process.on('message', (message: ToReportChild) => {
  void make(message.plan)
    .catch(failureOf)
    .then((outcome) => {
      process.send?.(outcome, () => process.exit(0));
    });
});
