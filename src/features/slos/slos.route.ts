import { Type } from 'typebox';
import { Slo, SloHistory, SloInput, SloPatch } from '#contract/slos.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, rows, sql, type Tx, transaction } from '#platform/db/db.ts';
import { type Owner, visibleTo } from '#platform/db/owner.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { BURN_WINDOWS, budgetLeft, summable } from './burn.ts';
import { openSlo } from './openslo.ts';
import { runningTotals, type Span } from './running.ts';
import { changeSlo, createSlo, getSlo, listSlos, type SloRow, toSlo } from './slos.ts';

export interface SloRouteDeps {
  db: Db;
  clock: Clock;
  /** Makes the policies that watch burn rates for an owner who has none. */
  watch(tx: Tx, owner: Owner): Promise<void>;
}

const tags = ['service levels'];
const read = { access: { scope: 'telemetry:read' } } as const;
const write = { access: { scope: 'telemetry:write' } } as const;
const params = Type.Object({ id: Type.String() });
const POINTS = 200;
const MINUTE = 60_000;

export function sloRoutes(deps: SloRouteDeps) {
  return (app: App): void => {
    reads(app, deps);
    history(app, deps);
    changes(app, deps);
  };
}

async function shown(db: Db, found: SloRow[], now: Date): Promise<Slo[]> {
  const windows = [0, ...BURN_WINDOWS.map(([, ms]) => ms), ...found.map(({ window_ms }) => window_ms)];
  const totals = await runningTotals(
    db,
    found.map(({ id }) => id),
    [...new Set(windows)].map((ms) => moment(now.getTime() - ms)),
  );
  return found.map((row) => toSlo(row, totals.get(row.id) ?? [], now));
}

const moment = (at: number): Span => ({ from: at, to: at });

function reads(app: App, { db, clock }: SloRouteDeps): void {
  app.get(
    '/slos',
    {
      config: read,
      schema: {
        tags,
        summary: 'Service levels with what is left of their budgets and how fast it burns',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(Slo) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      const page = pageOf(await listSlos(db, principalOf(request), cursorId(cursor), limit + 1), limit, (row) => row);
      return { ...page, items: await shown(db, page.items, clock.now()) };
    },
  );
  app.get(
    '/slos/:id',
    { config: read, schema: { tags, summary: 'One service level', params, response: { 200: Slo } } },
    async (request) => {
      const [slo] = await shown(db, [await getSlo(db, principalOf(request), request.params.id)], clock.now());
      return slo as Slo;
    },
  );
  app.get(
    '/slos/export',
    { config: read, schema: { tags, summary: 'As OpenSLO documents', produces: ['application/yaml'] } },
    async (request, reply) => {
      const visible = visibleTo(principalOf(request));
      const found = await rows(db, sql<SloRow>`SELECT * FROM slos WHERE enabled AND ${visible} ORDER BY id`);
      return reply.type('application/yaml; charset=utf-8').send(openSlo(found));
    },
  );
}

function history(app: App, { db, clock }: SloRouteDeps): void {
  app.get(
    '/slos/:id/history',
    {
      config: read,
      schema: {
        tags,
        summary: 'Events and budget over the time window, for a chart',
        params,
        response: { 200: SloHistory },
      },
    },
    async (request) => {
      const slo = await getSlo(db, principalOf(request), request.params.id);
      const to = Math.floor(clock.now().getTime() / MINUTE) * MINUTE;
      const step = Math.ceil(slo.window_ms / POINTS / MINUTE) * MINUTE;
      const times = Array.from({ length: POINTS }, (_, index) => to - (POINTS - 1 - index) * step);
      const spans = times.flatMap((at) => [at, at - step, at - slo.window_ms].map(moment));
      const sum = summable((await runningTotals(db, [slo.id], spans)).get(slo.id) ?? []);
      const points = times.map((at) => {
        const left = budgetLeft(sum(at - slo.window_ms, at), slo.target);
        return { at: new Date(at).toISOString(), ...sum(at - step, at), budget_left: left };
      });
      return { slo_id: slo.id, step_ms: step, points };
    },
  );
}

function changes(app: App, { db, clock, watch }: SloRouteDeps): void {
  app.post(
    '/slos',
    { config: write, schema: { tags, summary: 'Make a service level', body: SloInput, response: { 201: Slo } } },
    async (request, reply) => {
      const principal = principalOf(request);
      const id = await transaction(db, async (tx) => {
        const made = await createSlo(tx, principal, request.body);
        await watch(tx, request.body.scope === 'installation' ? null : principal.workspace_id);
        await audit(tx, {
          ...actorOf(request),
          action: 'slo.created',
          target: made,
          detail: { name: request.body.name },
        });
        return made;
      });
      const [slo] = await shown(db, [await getSlo(db, principal, id)], clock.now());
      return reply
        .status(201)
        .header('Location', `/slos/${id}`)
        .send(slo as Slo);
    },
  );
  app.patch(
    '/slos/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Change a service level; what is left out stays',
        params,
        body: SloPatch,
        response: { 200: Slo },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = request.params;
      await transaction(db, async (tx) => {
        await changeSlo(tx, await getSlo(tx, principal, id), request.body);
        await audit(tx, {
          ...actorOf(request),
          action: 'slo.changed',
          target: id,
          detail: { fields: Object.keys(request.body) },
        });
      });
      const [slo] = await shown(db, [await getSlo(db, principal, id)], clock.now());
      return slo as Slo;
    },
  );
  app.delete(
    '/slos/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Remove a service level; a built-in one can only be switched off',
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const slo = await getSlo(db, principalOf(request), request.params.id);
      if (slo.builtin) {
        throw fail('policy_builtin', 'A built-in service level is not removed.', {
          hint: 'Switch it off: PATCH {"enabled": false}.',
        });
      }
      await transaction(db, async (tx) => {
        await sql`DELETE FROM slos WHERE id = ${slo.id}`.execute(tx);
        await audit(tx, { ...actorOf(request), action: 'slo.deleted', target: slo.id, detail: { name: slo.name } });
      });
      return reply.status(204).send(null);
    },
  );
}
