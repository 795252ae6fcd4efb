import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Principal } from '#contract/principal.ts';
import { newId } from '#kernel/ids.ts';
import type { AnswerCache, CachedAnswer } from '#platform/http/answer-cache.ts';
import { etagOf } from '#platform/http/etag.ts';
import { FORMATS, type ResultFormat } from '#platform/http/formats.ts';
import { histogram } from '#platform/observe/metrics/instruments.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import { openRelations, type RelationDeps, type Resolved, resolveRelations } from './relations.ts';
import type { QueryPlan } from './sandbox/gate.ts';
import type { Outcome } from './sandbox/outcome.ts';
import type { Parameters, RunRequest } from './sandbox/protocol.ts';
import type { Prepared, Sandbox } from './sandbox/sandbox.ts';

export interface SqlDeps extends RelationDeps {
  sandbox: Pick<Sandbox, 'query'>;
  cache: AnswerCache;
  max_json_rows: number;
}

export interface SqlQuestion {
  query: string;
  parameters: Parameters;
  format: ResultFormat;
  orient: 'rows' | 'columns';
  limit?: number;
  safe: boolean;
}

/** Either kept in memory, or a stream that is read once. */
export type SqlAnswer =
  | ({ kind: 'kept'; hit?: boolean } & CachedAnswer)
  | { kind: 'stream'; body: Readable; headers: Record<string, string> };

export interface SqlService {
  /**
   * Runs a user's query as the principal.
   * @throws sql_syntax, sql_refused, sql_error, sql_too_greedy, sql_timeout, sql_busy
   */
  run(principal: Principal, question: SqlQuestion, signal: AbortSignal): Promise<SqlAnswer>;
}

const MOST_PLANS = 1000;
/** Larger JSON answers stream and are not kept. */
const MOST_KEPT_BYTES = 4_000_000;

export function createSqlService(deps: SqlDeps): SqlService {
  const plans = new Map<string, QueryPlan>();
  const remember = (query: string, plan: QueryPlan): void => {
    plans.delete(query);
    plans.set(query, plan);
    if (plans.size > MOST_PLANS) plans.delete(plans.keys().next().value as string);
  };

  async function run(principal: Principal, question: SqlQuestion, signal: AbortSignal): Promise<SqlAnswer> {
    const known = plans.get(question.query);
    let resolved = known ? await resolveRelations(deps, principal, known, question.query) : undefined;
    const cached = resolved && lookUp(principal, question, resolved);
    if (cached) return { kind: 'kept', hit: true, ...cached };
    const began = performance.now();
    const outcome = await deps.sandbox.query(question.query, {
      workspace: principal.workspace_id,
      signal,
      async prepare(plan) {
        remember(question.query, plan);
        resolved ??= await resolveRelations(deps, principal, plan, question.query);
        return prepare(deps, principal, question, resolved);
      },
    });
    histogram('caudal.query.duration').record((performance.now() - began) / 1000, {
      'caudal.query.kind': 'sql',
      'caudal.workspace': principal.workspace_id,
    });
    return finish(principal, question, resolved, outcome);
  }

  function lookUp(principal: Principal, question: SqlQuestion, resolved: Resolved): CachedAnswer | undefined {
    const key = answerKey(principal, question, resolved);
    return key === undefined ? undefined : deps.cache.get(key);
  }

  async function finish(
    principal: Principal,
    question: SqlQuestion,
    resolved: Resolved | undefined,
    outcome: Outcome,
  ): Promise<SqlAnswer> {
    const headers: Record<string, string> = { 'Content-Type': FORMATS[question.format].contentType };
    if (outcome.truncated) headers['X-Truncated'] = 'true';
    const small = outcome.bytes !== undefined && outcome.bytes <= MOST_KEPT_BYTES;
    if (!small) return { kind: 'stream', body: outcome.body, headers };
    const body = await buffer(outcome.body);
    const key = resolved && answerKey(principal, question, resolved);
    if (key === undefined) return { kind: 'kept', body, headers };
    const answer = { body, headers: { ...headers, ETag: etagOf(key) } };
    deps.cache.set(key, answer);
    return { kind: 'kept', ...answer };
  }

  return {
    run: (principal, question, signal) =>
      withSpan('sql', { attributes: { 'db.system.name': 'duckdb', 'caudal.workspace': principal.workspace_id } }, () =>
        run(principal, question, signal),
      ),
  };
}

/** Workspace, relations at their versions, query, parameters, shape, limit; undefined where an answer must not be kept. */
function answerKey(principal: Principal, question: SqlQuestion, { key }: Resolved): string | undefined {
  if (key === undefined || question.format !== 'json') return undefined;
  const { query, parameters, orient, limit } = question;
  return `sql ${principal.workspace_id} ${JSON.stringify([key, query, parameters, orient, limit ?? null])}`;
}

/** What sources are to be seen depends on who asks: a child that showed some shows nothing else. */
function relationsOf({ datasets, foreign, sources }: Resolved): string {
  if (sources.length > 0) return newId();
  const own = datasets.map(({ view, snapshot }) => JSON.stringify([view, snapshot.id]));
  const others = foreign.map(({ schema, name }) => JSON.stringify([schema.toLowerCase(), name.toLowerCase()]));
  return [...own, ...others].sort().join(' ');
}

async function prepare(
  deps: SqlDeps,
  principal: Principal,
  question: SqlQuestion,
  resolved: Resolved,
): Promise<Prepared> {
  const { release, ...opened } = await openRelations(deps, principal, resolved);
  const versions = Object.fromEntries(resolved.datasets.map(({ view, snapshot }) => [view, snapshot.version]));
  const request: RunRequest = {
    parameters: question.parameters,
    ...opened,
    format: question.format,
    orient: question.orient,
    ...(question.limit === undefined ? {} : { limit: question.limit }),
    max_json_rows: deps.max_json_rows,
    members: `"versions":${JSON.stringify(versions)}`,
    safe: question.safe,
    title: 'Result',
  };
  return { request, seen: relationsOf(resolved), release };
}
