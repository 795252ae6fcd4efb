import { Type } from 'typebox';
import { Dashboard, DashboardInput, DashboardPatch, filledQuery } from '#contract/dashboards.ts';
import type { Principal } from '#contract/principal.ts';
import { MetricAnswer } from '#contract/telemetry.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, sql, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { changeDashboard, createDashboard, getDashboard, listDashboards, toDashboard } from './dashboards.ts';
import { grafanaDashboard } from './grafana.ts';

export interface DashboardRouteDeps {
  db: Db;
  /** One question over metrics, in PromQL, answered for this caller. */
  ask(principal: Principal, query: string, range: { from?: string; to?: string; step?: string }): Promise<MetricAnswer>;
}

const tags = ['dashboards'];
const read = { access: { scope: 'telemetry:read' } } as const;
const write = { access: { scope: 'telemetry:write' } } as const;
const params = Type.Object({ id: Type.String() });
const Choice = Type.Optional(Type.String({ maxLength: 400 }));
const Time = Type.Optional(Type.String({ format: 'date-time' }));

export function dashboardRoutes(deps: DashboardRouteDeps) {
  return (app: App): void => {
    reads(app, deps);
    answers(app, deps);
    changes(app, deps);
  };
}

function reads(app: App, { db }: DashboardRouteDeps): void {
  app.get(
    '/dashboards',
    {
      config: read,
      schema: {
        tags,
        summary: 'Dashboards; the installation’s too for the operator',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(Dashboard) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listDashboards(db, principalOf(request), cursorId(cursor), limit + 1), limit, toDashboard);
    },
  );
  app.get(
    '/dashboards/:id',
    { config: read, schema: { tags, summary: 'One dashboard', params, response: { 200: Dashboard } } },
    async (request) => toDashboard(await getDashboard(db, principalOf(request), request.params.id)),
  );
  app.get(
    '/dashboards/:id/grafana',
    {
      config: read,
      schema: {
        tags,
        summary: 'As Grafana imports it, over what Prometheus scraped',
        params,
        response: { 200: Type.Record(Type.String(), Type.Unknown()) },
      },
    },
    async (request) => {
      const row = await getDashboard(db, principalOf(request), request.params.id);
      return grafanaDashboard(row.builtin ?? row.id, row) as Record<string, unknown>;
    },
  );
}

function answers(app: App, { db, ask }: DashboardRouteDeps): void {
  app.get(
    '/dashboards/:id/panels/:number',
    {
      config: read,
      schema: {
        tags,
        summary: 'What a panel shows, for a chosen system, service or instance; panels are counted from 0',
        params: Type.Object({ id: Type.String(), number: Type.String() }),
        querystring: Type.Object({
          system: Choice,
          service: Choice,
          instance: Choice,
          from: Time,
          to: Time,
          step: Type.Optional(Type.String({ maxLength: 20 })),
        }),
        response: { 200: Type.Object({ title: Type.String(), answers: Type.Array(MetricAnswer) }) },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id, number } = request.params;
      const { panels } = await getDashboard(db, principal, id);
      const panel = /^\d{1,3}$/.test(number) ? panels[Number(number)] : undefined;
      if (!panel) throw fail('dashboard_not_found', 'The dashboard has no such panel.');
      const { from, to, step, ...chosen } = request.query;
      const range = { ...(from ? { from } : {}), ...(to ? { to } : {}), ...(step ? { step } : {}) };
      // A rate needs some samples in its window; with wider steps no sample is left out.
      const interval = step ?? '5m';
      const queries = panel.queries.map(({ query }) => filledQuery(query, chosen, interval));
      return { title: panel.title, answers: await Promise.all(queries.map((query) => ask(principal, query, range))) };
    },
  );
}

function changes(app: App, { db }: DashboardRouteDeps): void {
  app.post(
    '/dashboards',
    {
      config: write,
      schema: { tags, summary: 'Make a dashboard', body: DashboardInput, response: { 201: Dashboard } },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { name } = request.body;
      const id = await transaction(db, async (tx) => {
        const made = await createDashboard(tx, principal, request.body);
        await audit(tx, { ...actorOf(request), action: 'dashboard.created', target: made, detail: { name } });
        return made;
      });
      const made = toDashboard(await getDashboard(db, principal, id));
      return reply.status(201).header('Location', `/dashboards/${id}`).send(made);
    },
  );
  app.patch(
    '/dashboards/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Change a dashboard; what is left out stays',
        params,
        body: DashboardPatch,
        response: { 200: Dashboard },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = request.params;
      const fields = Object.keys(request.body);
      await transaction(db, async (tx) => {
        await changeDashboard(tx, await getDashboard(tx, principal, id), request.body);
        await audit(tx, { ...actorOf(request), action: 'dashboard.changed', target: id, detail: { fields } });
      });
      return toDashboard(await getDashboard(db, principal, id));
    },
  );
  app.delete(
    '/dashboards/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Remove a dashboard; a built-in one stays',
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id, name, builtin } = await getDashboard(db, principalOf(request), request.params.id);
      if (builtin) throw fail('policy_builtin', 'A built-in dashboard is not removed.', { hint: 'It can be changed.' });
      await transaction(db, async (tx) => {
        await sql`DELETE FROM dashboards WHERE id = ${id}`.execute(tx);
        await audit(tx, { ...actorOf(request), action: 'dashboard.deleted', target: id, detail: { name } });
      });
      return reply.status(204).send(null);
    },
  );
}
