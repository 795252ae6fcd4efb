import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { allows } from '#contract/principal.ts';
import { Task } from '#contract/tasks.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { createGate, GateFull } from '#kernel/gate.ts';
import { type Db, transaction } from '#platform/db/db.ts';
import { abandoned } from '#platform/http/abandoned.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { FORMATS } from '#platform/http/formats.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { contentDisposition } from '#platform/objects/disposition.ts';
import type { ObjectStore } from '#platform/objects/store.ts';
import { counter, histogram } from '#platform/observe/metrics/instruments.ts';
import { currentTraceId, withSpan } from '#platform/observe/tracing.ts';
import type { Enqueue } from '#platform/queue/enqueue.ts';
import { prepareReport } from './prepare.ts';
import { DETAILS, type ReportQuery, readReport } from './report-request.ts';
import { beginReport, finishReport, reportFilename, waitingReports } from './reports.ts';
import type { MakeReport, RunningReport } from './spawn.ts';
import { LOCALES } from './words.ts';

export interface ReportDeps {
  db: Db;
  objects: Pick<ObjectStore, 'local'>;
  clock: Clock;
  /** The newest version, or `version`. @throws dataset_not_found, version_not_found, version_gone */
  snapshot(ref: { workspace_id: string; name: string; version?: number }): Promise<DatasetSnapshot>;
  make: MakeReport;
  tempDir: string;
  /** Rows that a report takes at most. */
  most_rows: number;
  /** As the provenance sheet names it: `Caudal 1.2.3`. */
  program: string;
}

export interface ReportRouteDeps extends ReportDeps {
  enqueue: Enqueue;
  /** A task as the API shows it. @throws task_not_found */
  describeTask(workspaceId: string, taskId: string): Promise<Task>;
}

const Names = Type.Union([Type.String(), Type.Array(Type.String())]);

const ReportParameters = Type.Object(
  {
    group_by: Type.Optional(Names),
    totals: Type.Optional(Names),
    select: Type.Optional(Names),
    order: Type.Optional(Names),
    limit: Type.Optional(Type.Integer({ minimum: 1, description: 'The first rows only; the workbook says so' })),
    detail: Type.Optional(
      Type.Enum(DETAILS, { description: 'One list in groups (default), a sheet for each group, or the summary alone' }),
    ),
    normalize: Type.Optional(
      Type.Boolean({ description: 'false: texts that differ by accents, case or blanks are groups of their own' }),
    ),
    locale: Type.Optional(Type.Enum(LOCALES)),
    version: Type.Optional(Type.Integer({ minimum: 0 })),
    async: Type.Optional(
      Type.Boolean({ description: 'A task that keeps the workbook as a file; as Prefer: respond-async' }),
    ),
  },
  { additionalProperties: true, description: 'Filters: where[column]=value, where[column][gte]=value, …' },
);

/** Workbooks that one process makes at a time, and callers that wait for one. */
const AT_A_TIME = 2;
const WAITING = 16;
const MOST_TASKS = 20;

/** `GET /datasets/{name}/report.xlsx`: a stream, or a task when it is long. */
export function reportRoutes(deps: ReportRouteDeps): (app: App) => void {
  const gate = createGate(AT_A_TIME, WAITING);
  return (app) => {
    app.get(
      '/datasets/:name/report.xlsx',
      {
        config: { access: { scope: 'datasets:read', named: 'name' } },
        schema: {
          tags: ['reports'],
          summary: 'A workbook: groups, counts and totals as formulas, the rows, and where it all came from',
          params: Type.Object({ name: Type.String() }),
          querystring: ReportParameters,
          response: { 200: Type.Unknown({ description: FORMATS.xlsx.contentType }), 202: Task },
        },
      },
      async (request, reply) => {
        const query = request.query as ReportQuery;
        const wished = /(^|[,;\s])respond-async($|[,;\s])/i.test(String(request.headers['prefer'] ?? ''));
        if (query['async'] === true || wished) return enqueueReport(deps, request, reply);
        return gate
          .run(() => answerReport(deps, request, reply))
          .catch((error: unknown) => {
            if (!(error instanceof GateFull)) throw error;
            throw fail('sql_busy', 'Too many reports are being made.', {
              hint: 'Come back in a moment, or ask with ?async=true.',
              retry_after: 5,
            });
          });
      },
    );
  };
}

/** Holds its place at the gate until the last byte has gone. */
async function answerReport(deps: ReportRouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { workspace_id, username } = principalOf(request);
  const { name } = request.params as { name: string };
  const query = request.query as ReportQuery & { version?: number };
  const { version } = query;
  const snapshot = await deps.snapshot({ workspace_id, name, ...(version === undefined ? {} : { version }) });
  const asked = readReport(query, snapshot);
  const madeAt = deps.clock.now();
  const { plan, release } = await prepareReport(deps.objects, snapshot, asked, {
    ...{ query: request.raw.url ?? '', made_at: madeAt.toISOString(), made_by: username, program: deps.program },
    ...{ trace_id: currentTraceId(), task_id: null, most_rows: deps.most_rows },
  });
  const began = performance.now();
  try {
    const attributes = { 'caudal.workspace': workspace_id, 'caudal.dataset': name };
    const running = await withSpan('make report', { attributes }, () =>
      deps.make(plan, { signal: abandoned(request, reply), tempDir: deps.tempDir }),
    );
    const { trace_id, query: url, made_by } = plan.facts;
    const report = { workspace_id, dataset_id: snapshot.id, version: snapshot.version, query: url, made_by, trace_id };
    const id = await beginReport(deps.db, { ...report, task_id: null }).catch((error: unknown) => {
      running.body.destroy();
      throw error;
    });
    reply
      .type(FORMATS.xlsx.contentType)
      .header('Content-Disposition', contentDisposition('attachment', reportFilename(name, madeAt)))
      .header('X-Dataset-Version', snapshot.version)
      .header('Cache-Control', 'private, no-store');
    void reply.send(running.body);
    await finished(deps, id, running, { began, workspace_id });
  } finally {
    await release();
  }
}

async function finished(
  deps: ReportRouteDeps,
  id: string,
  { body, done }: RunningReport,
  { began, workspace_id }: { began: number; workspace_id: string },
): Promise<void> {
  // A workbook that nobody waits for any more is no failure; the reader has been told by its connection.
  const outcome = await done.catch(() => undefined);
  if (!body.closed) await new Promise((resolve) => body.once('close', resolve));
  if (!outcome) return;
  measureReport(workspace_id, (performance.now() - began) / 1000, outcome.rows);
  await finishReport(deps.db, id, outcome);
}

export function measureReport(workspaceId: string, seconds: number, rows: number): void {
  const attributes = { 'caudal.workspace': workspaceId };
  histogram('caudal.report.duration').record(seconds, attributes);
  counter('caudal.report.rows').add(rows, attributes);
}

async function enqueueReport(deps: ReportRouteDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { workspace_id, user_id, scopes } = principalOf(request);
  const { name } = request.params as { name: string };
  if (!allows(scopes, 'tasks:read') || !allows(scopes, 'files:read')) {
    throw fail('forbidden', 'A report as a task needs the scopes tasks:read and files:read as well, to fetch it.');
  }
  const query = request.query as ReportQuery & { version?: number };
  const { version } = query;
  const snapshot = await deps.snapshot({ workspace_id, name, ...(version === undefined ? {} : { version }) });
  readReport(query, snapshot);
  if ((await waitingReports(deps.db, workspace_id)) >= MOST_TASKS) {
    throw fail('rate_limited', `${MOST_TASKS} reports of this workspace are waiting already.`, { retry_after: 10 });
  }
  const input = { dataset: name, version: snapshot.version, query: { ...query }, url: request.raw.url ?? '' };
  const { id } = await transaction(deps.db, (tx) =>
    deps.enqueue(tx, { workspace_id, kind: 'report', input, created_by: user_id }),
  );
  void reply
    .status(202)
    .header('Location', `/tasks/${id}`)
    .header('Preference-Applied', 'respond-async')
    .send(await deps.describeTask(workspace_id, id));
}
