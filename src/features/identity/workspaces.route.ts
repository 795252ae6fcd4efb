import { Type } from 'typebox';
import { allows } from '#contract/principal.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { sql, transaction } from '#platform/db/db.ts';
import { type App, principalOf } from '#platform/http/app.ts';
import { actorOf, audit } from '#platform/http/audit.ts';
import { cursorId, PageOf, PageQuery, pageOf } from '#platform/http/paging.ts';
import { createWorkspace } from './accounts.ts';
import type { IdentityDeps } from './deps.ts';
import { checkTitle } from './names.ts';
import { Id, Role, Time } from './shapes.ts';
import { enterWorkspace, listWorkspaces, readWorkspace, type Workspace } from './workspaces.ts';

const tags = ['workspaces'];
const access = 'authenticated' as const;

const AutoTopics = Type.Boolean({
  description: 'The first event of a name makes its topic and dataset; otherwise a topic begins with a subscription',
});

const Shape = Type.Object({
  id: Id,
  name: Type.String(),
  role: Type.Enum(Role.enum, { description: 'The caller’s own' }),
  auto_topics: AutoTopics,
  created_at: Time,
});
const Body = Type.Object({ name: Type.String({ maxLength: 1000 }) });
const Change = Type.Partial(Type.Object({ ...Body.properties, auto_topics: AutoTopics }), {
  additionalProperties: false,
});
const Params = Type.Object({ id: Type.String() });

export function workspaceRoutes(deps: IdentityDeps) {
  return (app: App): void => {
    list(app, deps);
    create(app, deps);
    read(app, deps);
    change(app, deps);
  };
}

function toWorkspace(row: Workspace) {
  return { ...row, created_at: row.created_at.toISOString() };
}

function nameOf(text: string): string {
  const name = checkTitle(text);
  if ('error' in name) throw invalid(name.error.field, name.error.message, name.error.code);
  return name.value;
}

function list(app: App, { db }: IdentityDeps): void {
  const schema = {
    tags,
    summary: 'The caller’s workspaces',
    querystring: Type.Object(PageQuery),
    response: { 200: PageOf(Shape) },
  };
  app.get('/workspaces', { config: { access }, schema }, async (request) => {
    const { limit = 50, cursor } = request.query;
    return pageOf(await listWorkspaces(db, principalOf(request), cursorId(cursor), limit), limit, toWorkspace);
  });
}

function create(app: App, { db }: IdentityDeps): void {
  const schema = { tags, summary: 'Make a workspace; the caller owns it', body: Body, response: { 201: Shape } };
  app.post('/workspaces', { config: { access }, schema }, async (request, reply) => {
    const { kind, scopes } = principalOf(request);
    if (kind === 'token' && !allows(scopes, 'admin')) throw fail('forbidden', 'This needs the scope admin.');
    const name = nameOf(request.body.name);
    const made = await transaction(db, async (tx) => {
      const id = await createWorkspace(tx, name, principalOf(request).user_id);
      const actor = { ...actorOf(request), workspace_id: id };
      await audit(tx, { ...actor, action: 'workspace.created', target: id, detail: { name } });
      return readWorkspace(tx, id, 'owner');
    });
    return reply.status(201).header('Location', `/workspaces/${made.id}`).send(toWorkspace(made));
  });
}

function read(app: App, { db }: IdentityDeps): void {
  const schema = { tags, summary: 'One workspace', params: Params, response: { 200: Shape } };
  app.get('/workspaces/:id', { config: { access }, schema }, async (request) => {
    const { id } = request.params;
    return toWorkspace(await readWorkspace(db, id, await enterWorkspace(db, principalOf(request), id, 'any')));
  });
}

function change(app: App, { db }: IdentityDeps): void {
  const summary = 'Rename a workspace, or say whether topics come into being by themselves';
  const schema = { tags, summary, params: Params, body: Change, response: { 200: Shape } };
  app.patch('/workspaces/:id', { config: { access }, schema }, async (request) => {
    const { id } = request.params;
    const role = await enterWorkspace(db, principalOf(request), id, 'owner');
    const { auto_topics } = request.body;
    // Not by the schema: whoever is no member hears that there is no such workspace, whatever was sent.
    if (Object.keys(request.body).length === 0) throw invalid('body', 'There is nothing to change.');
    const name = request.body.name === undefined ? undefined : nameOf(request.body.name);
    return transaction(db, async (tx) => {
      await sql`
        UPDATE workspaces
        SET name = coalesce(${name ?? null}::text, name), auto_topics = coalesce(${auto_topics ?? null}::boolean, auto_topics)
        WHERE id = ${id}`.execute(tx);
      const actor = { ...actorOf(request), workspace_id: id, target: id };
      if (name !== undefined) await audit(tx, { ...actor, action: 'workspace.renamed', detail: { name } });
      if (auto_topics !== undefined)
        await audit(tx, { ...actor, action: 'workspace.changed', detail: { auto_topics } });
      return toWorkspace(await readWorkspace(tx, id, role));
    });
  });
}
