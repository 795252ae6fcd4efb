import { after } from 'node:test';
import { type Admin, installation } from './caudal.ts';
import { type TestDatabase, testDatabase } from './database.ts';

/** A whole Caudal of the test file's own: supervisor, gateway, worker, telemetry, each a process. */
export interface Instance {
  url: string;
  admin: Admin;
  database: TestDatabase;
  /** A folder that goes with it. */
  dir: string;
  /** The administrator's call. Throws on anything but success. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
}

/** Started once per test file; stopped, and its folder removed, when the file ends, however it ends. */
export async function startInstance(settings: Record<string, string> = {}): Promise<Instance> {
  let stop = async (): Promise<void> => undefined;
  // Before the database's own hook: what still uses it ends first.
  after(() => stop());
  const database = await testDatabase();
  const home = installation({ DATABASE_URL: database.url, ...settings });
  stop = async () => home.remove();
  const running = await home.up();
  stop = async () => {
    await running.stop();
    home.remove();
  };
  const admin = home.admin();
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${admin.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${admin.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (response.status === 204 ? undefined : await response.json()) as T;
  };
  return { url: admin.url, admin, database, dir: home.dir, call };
}
