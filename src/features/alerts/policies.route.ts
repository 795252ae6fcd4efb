import { Type } from 'typebox';
import type { SelectSeries } from '#contract/metrics/series.ts';
import { Policy, PolicyInput, PolicyPatch, Preview, PreviewInput } from '#contract/policies.ts';
import type { Clock } from '#kernel/clock.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, rows, sql, transaction } from '#platform/db/db.ts';
import { type Owner, ownerFor, visibleTo } from '#platform/db/owner.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { alertmanagerConfig } from './export/alertmanager.ts';
import { prometheusRules } from './export/prometheus.ts';
import { changePolicy, createPolicy, getPolicy, listPolicies, type PolicyRow, toPolicy } from './policies.ts';
import { previewPolicy } from './preview.ts';

export interface PolicyRouteDeps {
  db: Db;
  clock: Clock;
  selectFor(owner: Owner): SelectSeries;
}

const tags = ['alerts'];
const read = { access: { scope: 'telemetry:read' } } as const;
const write = { access: { scope: 'telemetry:write' } } as const;
const params = Type.Object({ id: Type.String() });

export function policyRoutes(deps: PolicyRouteDeps) {
  return (app: App): void => {
    lists(app, deps);
    changes(app, deps);
    previews(app, deps);
    exports_(app, deps);
  };
}

function lists(app: App, { db }: PolicyRouteDeps): void {
  app.get(
    '/policies',
    {
      config: read,
      schema: {
        tags,
        summary: 'Policies with their state and record; the installation’s too for the operator',
        querystring: Type.Object(PageQuery),
        response: { 200: PageOf(Policy) },
      },
    },
    async (request) => {
      const { limit = 50, cursor } = request.query;
      return pageOf(await listPolicies(db, principalOf(request), cursorId(cursor), limit + 1), limit, toPolicy);
    },
  );
  app.get(
    '/policies/:id',
    { config: read, schema: { tags, summary: 'One policy', params, response: { 200: Policy } } },
    async (request) => toPolicy(await getPolicy(db, principalOf(request), request.params.id)),
  );
}

function changes(app: App, { db }: PolicyRouteDeps): void {
  app.post(
    '/policies',
    { config: write, schema: { tags, summary: 'Make a policy', body: PolicyInput, response: { 201: Policy } } },
    async (request, reply) => {
      const principal = principalOf(request);
      const id = await transaction(db, async (tx) => {
        const made = await createPolicy(tx, principal, request.body);
        await audit(tx, {
          ...actorOf(request),
          action: 'policy.created',
          target: made,
          detail: { name: request.body.name },
        });
        return made;
      });
      return reply
        .status(201)
        .header('Location', `/policies/${id}`)
        .send(toPolicy(await getPolicy(db, principal, id)));
    },
  );
  app.patch(
    '/policies/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Change a policy; what is left out stays. A changed built-in one is never put back',
        params,
        body: PolicyPatch,
        response: { 200: Policy },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { id } = request.params;
      await transaction(db, async (tx) => {
        await changePolicy(tx, await getPolicy(tx, principal, id), request.body);
        await audit(tx, {
          ...actorOf(request),
          action: 'policy.changed',
          target: id,
          detail: { fields: Object.keys(request.body) },
        });
      });
      return toPolicy(await getPolicy(db, principal, id));
    },
  );
  app.delete(
    '/policies/:id',
    {
      config: write,
      schema: {
        tags,
        summary: 'Remove a policy; a built-in one can only be switched off',
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { id } = request.params;
      const policy = await getPolicy(db, principal, id);
      if (policy.builtin) {
        throw fail('policy_builtin', 'A built-in policy is not removed.', {
          hint: 'Switch it off: PATCH {"enabled": false}.',
        });
      }
      await transaction(db, async (tx) => {
        await sql`DELETE FROM policies WHERE id = ${policy.id}`.execute(tx);
        await audit(tx, { ...actorOf(request), action: 'policy.deleted', target: id, detail: { name: policy.name } });
      });
      return reply.status(204).send(null);
    },
  );
}

function previews(app: App, { clock, selectFor }: PolicyRouteDeps): void {
  app.post(
    '/policies/preview',
    {
      config: { ...read, idempotent: false },
      schema: {
        tags,
        summary: 'What a policy would have done over past data',
        body: PreviewInput,
        response: { 200: Preview },
      },
    },
    async (request) => {
      const owner = ownerFor(principalOf(request), request.body.scope);
      return previewPolicy(request.body, selectFor(owner), clock.now());
    },
  );
}

function exports_(app: App, { db }: PolicyRouteDeps): void {
  app.get(
    '/policies/export',
    {
      config: read,
      schema: {
        tags,
        summary: 'The policies as Prometheus rules, or an Alertmanager configuration that tells as Caudal does',
        querystring: Type.Object({
          format: Type.Optional(Type.Enum(['prometheus', 'alertmanager'], { default: 'prometheus' })),
        }),
        produces: ['application/yaml'],
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const policies = await rows(
        db,
        sql<PolicyRow>`SELECT * FROM policies WHERE enabled AND ${visibleTo(principal)} ORDER BY id`,
      );
      const text = request.query.format === 'alertmanager' ? alertmanagerConfig(policies) : prometheusRules(policies);
      return reply.type('application/yaml; charset=utf-8').send(text);
    },
  );
}
