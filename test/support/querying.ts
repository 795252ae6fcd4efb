import { after } from 'node:test';
import pino from 'pino';
import type { Principal } from '#contract/principal.ts';
import { openQuerying, type Querying, type QueryingOptions } from '#features/querying/querying.ts';
import { fail } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import type { Db } from '#platform/db/db.ts';
import type { App } from '#platform/http/app.ts';
import type { DatasetSnapshot } from '#platform/lake/snapshot.ts';
import { listeningApp, temporaryDirectory } from './object-store.ts';
import { type SegmentBench, segmentBench } from './segments.ts';

export interface QueryBench {
  bench: SegmentBench;
  querying: Querying;
  app: App;
  origin: string;
  /** By `name` and version; the newest is the last put. */
  put(snapshot: DatasetSnapshot): void;
  workspace: string;
  /** Scopes of the caller from now on. */
  become(...scopes: string[]): void;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  sql(body: unknown, suffix?: string): Promise<Response>;
}

/** What tests look at of an answer or a problem. */
export interface Answer {
  columns: { name: string; type: string }[];
  rows: Record<string, unknown>[];
  next_cursor: string | null;
  version: number;
  total?: number;
  truncated?: boolean;
  versions?: Record<string, number>;
  code?: string;
  detail?: string;
  position?: number;
  line?: number;
  errors?: { field: string }[];
}

export async function answerOf(response: Response | Promise<Response>): Promise<Answer> {
  return (await (await response).json()) as Answer;
}

/** Rows and SQL on a real gateway, over segments on disk and snapshots that the test puts there. */
export async function queryBench(db: Db, overrides: Partial<QueryingOptions> = {}): Promise<QueryBench> {
  const bench = await segmentBench();
  after(() => bench.close());
  const workspace = newId();
  let scopes = ['datasets:read', 'telemetry:read'];
  const stored: DatasetSnapshot[] = [];
  const querying = await openQuerying({
    db,
    objects: bench.objects,
    log: pino({ level: 'silent' }),
    async snapshot({ workspace_id, name, version }) {
      const versions = stored.filter((each) => each.workspace_id === workspace_id && each.name === name);
      if (versions.length === 0) throw fail('dataset_not_found', `There is no dataset "${name}".`);
      const found = version === undefined ? versions.at(-1) : versions.find((each) => each.version === version);
      if (!found) throw fail('version_gone', 'That version is no longer kept.');
      return found;
    },
    extraRelations: async () => [],
    tempDir: await temporaryDirectory(),
    settings: {
      sql_timeout_ms: 10_000,
      sql_memory_bytes: 1e9,
      sql_max_rows: 1000,
      sql_slots: 2,
      cache_bytes: 10_000_000,
    },
    ...overrides,
  });
  after(() => querying.close());
  const principal = (): Principal => ({
    kind: 'user',
    user_id: newId(),
    username: 'ana',
    workspace_id: workspace,
    role: 'owner',
    scopes,
    operator: false,
    credential_id: newId(),
  });
  const { app, origin } = await listeningApp(db, (routes) => querying.routes(routes), principal);
  return {
    bench,
    querying,
    app,
    origin,
    workspace,
    put: (snapshot) => stored.push({ ...snapshot, workspace_id: workspace }),
    become: (...next) => {
      scopes = next;
    },
    get: (path, headers = {}) => fetch(`${origin}${path}`, { headers }),
    sql: (body, suffix = '') =>
      fetch(`${origin}/sql${suffix}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  };
}
