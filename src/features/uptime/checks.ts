import type { Principal } from '#contract/principal.ts';
import type { UptimeCheck, UptimeInput, UptimePatch, UptimeResult } from '#contract/uptime.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { newId } from '#kernel/ids.ts';
import { type Db, sql, uniqueViolation } from '#platform/db/db.ts';
import { findVisible, listVisible, type Owner, ownerFor, scopeOf } from '#platform/db/owner.ts';
import { hostAndPort } from './probe.ts';

export interface CheckRow {
  id: string;
  workspace_id: Owner;
  name: string;
  kind: 'http' | 'tcp';
  target: string;
  interval_ms: number;
  timeout_ms: number;
  expect: UptimeCheck['expect'];
  enabled: boolean;
  created_at: Date;
}

export interface ResultRow {
  at: Date;
  up: boolean;
  latency_ms: number;
  status: number | null;
  certificate_days: number | null;
  error: string | null;
}

interface ListedCheck extends CheckRow {
  last: (Omit<ResultRow, 'at'> & { at: string }) | null;
  availability: number | null;
}

const MINUTE = 60_000;
const TIMEOUT_MS = 10_000;

const LISTED = sql`
  SELECT c.*, to_jsonb(r) AS last, (SELECT avg(up::int)::float8 FROM uptime_results u
      WHERE u.check_id = c.id AND u.at > now() - interval '1 day') AS availability
  FROM uptime_checks c LEFT JOIN LATERAL (
    SELECT at, up, latency_ms, status, certificate_days, error FROM uptime_results u WHERE u.check_id = c.id
    ORDER BY at DESC LIMIT 1) r ON true`;

export function listChecks(db: Db, principal: Principal, after: string | null, limit: number): Promise<ListedCheck[]> {
  return listVisible(db, LISTED, principal, after, limit);
}

/** @throws uptime_check_not_found */
export async function getCheck(db: Db, principal: Principal, id: string): Promise<ListedCheck> {
  const found = await findVisible<ListedCheck>(db, LISTED, principal, id);
  if (!found) throw fail('uptime_check_not_found', 'There is no such uptime check here.');
  return found;
}

export function toResult(row: ResultRow): UptimeResult {
  return { ...row, at: row.at.toISOString() };
}

export function toCheck(row: ListedCheck): UptimeCheck {
  const last = row.last && { ...row.last, at: new Date(row.last.at).toISOString() };
  return {
    id: row.id,
    name: row.name,
    scope: scopeOf(row.workspace_id),
    kind: row.kind,
    target: row.target,
    interval_ms: row.interval_ms,
    timeout_ms: row.timeout_ms,
    expect: row.expect,
    enabled: row.enabled,
    state: !row.enabled ? 'off' : last === null ? 'unknown' : last.up ? 'up' : 'down',
    last,
    availability: row.availability,
    created_at: row.created_at.toISOString(),
  };
}

/** @throws invalid_input naming the field */
export function checkTarget(kind: 'http' | 'tcp', target: string): void {
  if (kind === 'tcp') {
    const { host, port } = hostAndPort(target);
    if (host === '' || port < 1 || port > 65_535) throw invalid('target', 'A TCP check needs host:port.', 'format');
    return;
  }
  const url = URL.canParse(target) ? new URL(target) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw invalid('target', 'An HTTP check needs an http(s) URL.', 'format');
  if (url.username !== '' || url.password !== '')
    throw invalid('target', 'The URL holds a user name or password.', 'credentials');
}

/** @throws invalid_input, already_taken, forbidden */
export async function createCheck(db: Db, principal: Principal, input: UptimeInput): Promise<string> {
  checkTarget(input.kind, input.target);
  const { interval_ms = MINUTE, timeout_ms = TIMEOUT_MS } = input;
  checkTimes(interval_ms, timeout_ms);
  const id = newId();
  await unlessTaken(
    sql`
    INSERT INTO uptime_checks (id, workspace_id, name, kind, target, interval_ms, timeout_ms, expect, enabled)
    VALUES (${id}, ${ownerFor(principal, input.scope)}, ${input.name}, ${input.kind}, ${input.target}, ${interval_ms},
            ${timeout_ms}, ${JSON.stringify(input.expect ?? {})}::jsonb, ${input.enabled ?? true})`.execute(db),
  );
  return id;
}

function checkTimes(interval: number, timeout: number): void {
  if (timeout >= interval) throw invalid('timeout_ms', 'A check gives up before the next one begins.', 'too_long');
}

export async function changeCheck(db: Db, row: CheckRow, patch: UptimePatch): Promise<void> {
  if (patch.target !== undefined) checkTarget(row.kind, patch.target);
  const { interval_ms = row.interval_ms, timeout_ms = row.timeout_ms } = patch;
  checkTimes(interval_ms, timeout_ms);
  await unlessTaken(
    sql`
    UPDATE uptime_checks SET name = ${patch.name ?? row.name}, target = ${patch.target ?? row.target},
      interval_ms = ${interval_ms}, timeout_ms = ${timeout_ms}, expect = ${JSON.stringify(patch.expect ?? row.expect)}::jsonb,
      enabled = ${patch.enabled ?? row.enabled}, updated_at = now() WHERE id = ${row.id}`.execute(db),
  );
}

async function unlessTaken(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    const message = 'A check of that name exists.';
    throw fail('already_taken', message, { errors: [{ field: 'name', code: 'already_taken', message }] });
  }
}
