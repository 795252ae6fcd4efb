/** One kind of request of the load test; `make loadtest` and the JMeter plan are made from this table. */
export interface LoadStep {
  name: string;
  method: 'GET' | 'POST';
  path: string;
  body?: Record<string, unknown>;
  /** Status that counts as success. */
  status: number;
}

/** `{dataset}` is a dataset with a column `id`. */
export const PLAN: readonly LoadStep[] = [
  { name: 'Health', method: 'GET', path: '/healthz', status: 200 },
  { name: 'Who am I', method: 'GET', path: '/auth/me', status: 200 },
  { name: 'Newest tasks', method: 'GET', path: '/tasks?max=4&order=1', status: 200 },
  { name: 'Files', method: 'GET', path: '/files?limit=20', status: 200 },
  { name: 'Datasets', method: 'GET', path: '/datasets', status: 200 },
  { name: 'Rows, first page', method: 'GET', path: '/datasets/{dataset}/rows?limit=20', status: 200 },
  { name: 'Rows, filtered', method: 'GET', path: '/datasets/{dataset}/rows?where[id][gte]=900&limit=20', status: 200 },
  {
    name: 'SQL, aggregate',
    method: 'POST',
    path: '/sql',
    body: { query: 'SELECT count(*) AS n, max(id) AS high FROM {dataset}' },
    status: 200,
  },
];

/** So that nobody takes down what others use, by mistake or not. */
export const BOUNDS = { duration_s: 60, connections: 64, requests: 50_000 } as const;

export const DATASET = 'loadtest';

export function filled(step: LoadStep, dataset: string): { path: string; body: string | undefined } {
  const fill = (text: string): string => text.replaceAll('{dataset}', dataset);
  return { path: fill(step.path), body: step.body ? fill(JSON.stringify(step.body)) : undefined };
}

/** @throws for a host that is not this machine */
export function onlyLoopback(url: string): URL {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)) return target;
  throw new Error(`${host} is not this machine: the load test sends to loopback only.`);
}
