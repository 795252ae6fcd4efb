import { Type } from 'typebox';
import { UptimeCheck, UptimeInput, UptimePatch, UptimeResult } from '#contract/uptime.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import type { Owner } from '#platform/db/owner.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { changeCheck, createCheck, getCheck, listChecks, type ResultRow, toCheck, toResult } from './checks.ts';

export interface UptimeRouteDeps {
  db: Db;
  /** Makes the policies that watch checks for an owner who has none. */
  watch(tx: Tx, owner: Owner): Promise<void>;
}

const tags = ['uptime'];
const read = { access: { scope: 'telemetry:read' } } as const;
const write = { access: { scope: 'telemetry:write' } } as const;
const params = Type.Object({ id: Type.String() });
/** One prober for the whole installation: more would be late. */
const MOST_CHECKS = 200;

export function uptimeRoutes(deps: UptimeRouteDeps) {
  return (app: App): void => {
    reads(app, deps);
    changes(app, deps);
  };
}

function reads(app: App, { db }: UptimeRouteDeps): void {
  app.get(
    '/uptime-checks',
    {
      config: read,
      schema: {
        tags,
        summary: 'Uptime checks with what they saw last',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(UptimeCheck) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listChecks(db, principalOf(request), cursorId(cursor), limit + 1), limit, toCheck);
    },
  );
  app.get(
    '/uptime-checks/:id',
    { config: read, schema: { tags, summary: 'One uptime check', params, response: { 200: UptimeCheck } } },
    async (request) => toCheck(await getCheck(db, principalOf(request), request.params.id)),
  );
  app.get(
    '/uptime-checks/:id/results',
    {
      config: read,
      schema: {
        tags,
        summary: 'What a check saw, newest first; kept for 30 days',
        params,
        querystring: Type.Object({
          ...PageQuery,
          failed: Type.Optional(Type.Boolean({ description: 'Failures only' })),
        }),
        response: { 200: PageOf(UptimeResult) },
      },
    },
    async (request) => {
      const { id } = await getCheck(db, principalOf(request), request.params.id);
      const { limit = 50, cursor, failed = false } = request.query;
      const before = timeCursor(cursor);
      const found = await rows(
        db,
        sql<ResultRow>`
          SELECT at, up, latency_ms, status, certificate_days, error FROM uptime_results
          WHERE check_id = ${id} AND (${before}::timestamptz IS NULL OR at < ${before}) AND NOT (${failed} AND up)
          ORDER BY at DESC LIMIT ${limit + 1}`,
      );
      const items = found.slice(0, limit).map(toResult);
      return { items, next_cursor: found.length > limit ? (items.at(-1)?.at ?? null) : null };
    },
  );
}

/** @throws bad_cursor */
function timeCursor(cursor: string | undefined): Date | null {
  if (cursor === undefined || cursor === '') return null;
  const time = new Date(cursor);
  if (Number.isNaN(time.getTime())) throw fail('bad_cursor', 'The cursor is not one that a list of ours gave out.');
  return time;
}

function changes(app: App, { db, watch }: UptimeRouteDeps): void {
  app.post(
    '/uptime-checks',
    {
      config: write,
      schema: { tags, summary: 'Make an uptime check', body: UptimeInput, response: { 201: UptimeCheck } },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const owner = request.body.scope === 'installation' ? null : principal.workspace_id;
      const id = await transaction(db, async (tx) => {
        const { rows: counted } = await sql<{ count: number }>`
          SELECT count(*) AS count FROM uptime_checks WHERE workspace_id IS NOT DISTINCT FROM ${owner}::uuid`.execute(
          tx,
        );
        if ((counted[0]?.count ?? 0) >= MOST_CHECKS)
          throw fail('too_many_checks', `A workspace has at most ${MOST_CHECKS} checks.`);
        const made = await createCheck(tx, principal, request.body);
        await watch(tx, owner);
        await audit(tx, {
          ...actorOf(request),
          action: 'uptime_check.created',
          target: made,
          detail: { name: request.body.name },
        });
        return made;
      });
      return reply
        .status(201)
        .header('Location', `/uptime-checks/${id}`)
        .send(toCheck(await getCheck(db, principal, id)));
    },
  );
  app.patch(
    '/uptime-checks/:id',
    {
      config: write,
      schema: { tags, summary: 'Change an uptime check', params, body: UptimePatch, response: { 200: UptimeCheck } },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = request.params;
      await transaction(db, async (tx) => {
        await changeCheck(tx, await getCheck(tx, principal, id), request.body);
        await audit(tx, {
          ...actorOf(request),
          action: 'uptime_check.changed',
          target: id,
          detail: { fields: Object.keys(request.body) },
        });
      });
      return toCheck(await getCheck(db, principal, id));
    },
  );
  app.delete(
    '/uptime-checks/:id',
    {
      config: write,
      schema: { tags, summary: 'Remove an uptime check and what it saw', params, response: { 204: Type.Null() } },
    },
    async (request, reply) => {
      const check = await getCheck(db, principalOf(request), request.params.id);
      await transaction(db, async (tx) => {
        await sql`DELETE FROM uptime_checks WHERE id = ${check.id}`.execute(tx);
        await audit(tx, {
          ...actorOf(request),
          action: 'uptime_check.deleted',
          target: check.id,
          detail: { name: check.name },
        });
      });
      return reply.status(204).send(null);
    },
  );
}
