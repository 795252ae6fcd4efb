import { after } from 'node:test';
import pino from 'pino';
import { readConfig } from '#config';
import type { DeclaredColumn } from '#contract/datasets.ts';
import type { FormSettings } from '#contract/forms.ts';
import { type Principal, ROLE_SCOPES } from '#contract/principal.ts';
import { setForm } from '#features/datasets/form-settings.ts';
import { newId } from '#kernel/ids.ts';
import { transaction } from '#platform/db/db.ts';
import { createDataset } from '#platform/lake/dataset-rows.ts';
import type { DiskStore } from '#platform/objects/disk-store.ts';
import { openForms } from '#roles/forms.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { insertWorkspace, listeningApp, temporaryDirectory, testDiskStore } from './object-store.ts';

export interface FormHouse {
  database: TestDatabase;
  store: DiskStore;
  workspace: string;
  origin: string;
  /** A dataset with a form. @returns its id */
  dataset(name: string, columns: DeclaredColumn[], form: FormSettings, key?: string[]): Promise<string>;
  /** A credential of somebody of that workspace; without `scopes` of an editor. */
  credential(workspace?: string, scopes?: readonly string[]): string;
}

/** The forms room as a role opens it, behind a real gateway, with a real database, store and image children. */
export async function formHouse(env: Record<string, string> = {}): Promise<FormHouse> {
  const database = await testDatabase();
  const { db } = database;
  const store = await testDiskStore(db);
  const principals = new Map<string, Principal>();
  const forms = await openForms({
    config: readConfig(env),
    log: pino({ level: 'silent' }),
    objects: store,
    database,
    tempDir: await temporaryDirectory(),
  });
  after(() => forms.close());
  const workspace = await insertWorkspace(db);
  const { origin } = await listeningApp(
    db,
    async (app) => void (await app.register(forms.routes)),
    ({ headers }) => principals.get(String(headers.authorization ?? headers['x-session'])) ?? null,
  );
  return {
    ...{ database, store, workspace, origin },
    dataset: (name, columns, form, key) =>
      transaction(db, async (tx) => {
        const keyed = key ? { key: { columns: key, on_conflict: 'reject' as const } } : {};
        const { id } = await createDataset(tx, { workspace_id: workspace, name, declared: columns, ...keyed });
        await setForm(tx, id, form);
        return id;
      }),
    credential(workspace_id = workspace, scopes = ROLE_SCOPES.editor) {
      const credential_id = newId();
      const person = { kind: 'user', username: 'ana', role: 'editor', operator: false, user_id: newId() } as const;
      principals.set(credential_id, { ...person, workspace_id, scopes, credential_id });
      return credential_id;
    },
  };
}

export interface Visit {
  status: number;
  headers: Headers;
  text: string;
}

export interface Visitor {
  get(path: string, headers?: Record<string, string>): Promise<Visit>;
  /** Sends a form as a browser does; gives the answer itself, not where it leads. */
  send(path: string, fields: Record<string, string | Blob>, headers?: Record<string, string>): Promise<Visit>;
  /** The hidden fields of a page. */
  hidden(page: string): Record<string, string>;
}

/** A browser without a screen: it keeps cookies and says that it wants pages. */
export function visitor(origin: string, always: Record<string, string> = {}): Visitor {
  let cookie = '';
  const call = async (path: string, init: RequestInit, headers: Record<string, string> = {}): Promise<Visit> => {
    const response = await fetch(new URL(path, origin), {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', ...always, ...(cookie ? { cookie } : {}), ...headers },
    });
    cookie = response.headers.getSetCookie()[0]?.split(';', 1)[0] ?? cookie;
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    get: (path, headers) => call(path, {}, headers),
    send(path, fields, headers) {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields)) {
        if (typeof value === 'string') body.append(name, value);
        else body.append(name, value, 'photo.jpg');
      }
      return call(path, { method: 'POST', body }, headers);
    },
    hidden(page) {
      const found = page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]+)">/g);
      return Object.fromEntries([...found].map(([, name, value]) => [name ?? '', value ?? '']));
    },
  };
}
