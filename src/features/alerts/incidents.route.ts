import { Type } from 'typebox';
import { INCIDENT_STATES, Incident, IncidentHistory } from '#contract/incidents.ts';
import type { Principal } from '#contract/principal.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';
import { type Db, first, rows, sql, transaction } from '#platform/db/db.ts';
import { visibleTo } from '#platform/db/owner.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { type IncidentRow, toIncident } from './incident-row.ts';
import { acknowledgeIncident } from './incidents.ts';

export interface IncidentRouteDeps {
  db: Db;
  clock: Clock;
}

const tags = ['alerts'];
const read = { access: { scope: 'telemetry:read' } } as const;
const params = Type.Object({ id: Type.String() });

const Query = Type.Object({
  ...PageQuery,
  state: Type.Optional(Type.Enum([...INCIDENT_STATES, 'active'], { description: 'active: open or acknowledged' })),
  policy_id: Type.Optional(Type.String()),
});

export function incidentRoutes(deps: IncidentRouteDeps) {
  return (app: App): void => {
    lists(app, deps);
    one(app, deps);
    acknowledge(app, deps);
  };
}

function lists(app: App, { db }: IncidentRouteDeps): void {
  app.get(
    '/incidents',
    {
      config: read,
      schema: {
        tags,
        summary: 'Periods in which a policy held; newest first',
        querystring: Query,
        response: { 200: PageOf(Incident) },
      },
    },
    async (request) => {
      const { limit = 50, cursor, state, policy_id } = request.query;
      if (policy_id !== undefined && !isUuid(policy_id)) return { items: [], next_cursor: null };
      const states =
        state === undefined ? [...INCIDENT_STATES] : state === 'active' ? ['open', 'acknowledged'] : [state];
      const after = cursorId(cursor);
      const found = await rows(
        db,
        sql<IncidentRow>`
          SELECT * FROM incidents WHERE ${visibleTo(principalOf(request))} AND state = ANY(${states})
            AND (${policy_id ?? null}::uuid IS NULL OR policy_id = ${policy_id ?? null})
            AND (${after}::uuid IS NULL OR id < ${after}) ORDER BY id DESC LIMIT ${limit + 1}`,
      );
      return pageOf(found, limit, toIncident);
    },
  );
}

/** @throws incident_not_found */
async function find(db: Db, principal: Principal, id: string): Promise<IncidentRow> {
  const found = isUuid(id)
    ? await first(db, sql<IncidentRow>`SELECT * FROM incidents WHERE id = ${id} AND ${visibleTo(principal)}`)
    : undefined;
  if (!found) throw fail('incident_not_found', 'There is no such incident here.');
  return found;
}

interface SeriesRow {
  labels: Record<string, string>;
  value: number;
  fired_at: Date;
  ended_at: Date | null;
}
interface EventRow {
  at: Date;
  kind: string;
  actor: string;
  detail: Record<string, unknown>;
}

function one(app: App, { db }: IncidentRouteDeps): void {
  app.get(
    '/incidents/:id',
    {
      config: read,
      schema: { tags, summary: 'One incident with its series and history', params, response: { 200: IncidentHistory } },
    },
    async (request) => {
      const incident = await find(db, principalOf(request), request.params.id);
      const series = await rows(
        db,
        sql<SeriesRow>`SELECT * FROM incident_series WHERE incident_id = ${incident.id} ORDER BY fired_at, key LIMIT 1000`,
      );
      const events = await rows(
        db,
        sql<EventRow>`SELECT * FROM incident_events WHERE incident_id = ${incident.id} ORDER BY id LIMIT 1000`,
      );
      return {
        ...toIncident(incident),
        series: series.map(({ labels, value, fired_at, ended_at }) => ({
          labels,
          value: Number.isFinite(value) ? value : null,
          fired_at: fired_at.toISOString(),
          ended_at: ended_at?.toISOString() ?? null,
        })),
        events: events.map(({ at, kind, actor, detail }) => ({ at: at.toISOString(), kind, actor, detail })),
      };
    },
  );
}

function acknowledge(app: App, { db, clock }: IncidentRouteDeps): void {
  app.post(
    '/incidents/:id/acknowledge',
    {
      config: { access: { scope: 'telemetry:write' } },
      schema: {
        tags,
        summary: 'Take an incident on: it is not repeated and does not escalate. 409 when it is acknowledged or over',
        params,
        body: Type.Optional(
          Type.Object({ comment: Type.Optional(Type.String({ maxLength: 1000 })) }, { additionalProperties: false }),
        ),
        response: { 200: Incident },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = await find(db, principal, request.params.id);
      await transaction(db, async (tx) => {
        await acknowledgeIncident(tx, id, principal.username, request.body?.comment, clock.now());
        await audit(tx, { ...actorOf(request), action: 'incident.acknowledged', target: id });
      });
      return toIncident(await find(db, principal, id));
    },
  );
}
