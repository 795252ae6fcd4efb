import { Type } from 'typebox';
import { rows, sql } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import type { IdentityDeps } from './deps.ts';
import { Id, Time } from './shapes.ts';

interface AuditRow {
  id: string;
  at: Date;
  actor: string;
  user_id: string | null;
  action: string;
  target: string | null;
  detail: Record<string, unknown>;
  address: string | null;
  trace_id: string | null;
}

const Nullable = Type.Union([Type.String(), Type.Null()]);
const Entry = Type.Object({
  id: Id,
  at: Time,
  actor: Type.String({ description: 'Username at the time' }),
  user_id: Nullable,
  action: Type.String({ description: 'What was done, e.g. token.created' }),
  target: Type.Union([Type.String(), Type.Null()], { description: 'To what' }),
  detail: Type.Record(Type.String(), Type.Unknown()),
  address: Type.Union([Type.String(), Type.Null()], { description: 'From where' }),
  trace_id: Nullable,
});

const schema = {
  tags: ['audit'],
  summary: 'Who did what, when, from where; newest first',
  description: 'Of the workspace; the operator also reads what belongs to none.',
  querystring: Type.Object({
    ...PageQuery,
    action: Type.Optional(Type.String({ maxLength: 100, description: 'Only this action' })),
    user_id: Type.Optional(Type.String({ format: 'uuid', description: 'Only by this user' })),
  }),
  response: { 200: PageOf(Entry) },
};

export function auditRoute({ db }: IdentityDeps) {
  return (app: App): void => {
    app.get('/audit', { config: { access: { scope: 'admin' } }, schema }, async (request) => {
      const { workspace_id, operator } = principalOf(request);
      const { limit = 50, cursor, action = null, user_id = null } = request.query;
      const before = cursorId(cursor);
      const found = await rows(
        db,
        sql<AuditRow>`
          SELECT id, at, actor, user_id, action, target, detail, address, trace_id FROM audit_log
          WHERE (workspace_id = ${workspace_id} OR ${operator} AND workspace_id IS NULL)
            AND (${before}::uuid IS NULL OR id < ${before})
            AND (${action}::text IS NULL OR action = ${action})
            AND (${user_id}::uuid IS NULL OR user_id = ${user_id})
          ORDER BY id DESC LIMIT ${limit + 1}`,
      );
      return pageOf(found, limit, (row) => ({ ...row, at: row.at.toISOString() }));
    });
  };
}
