import { randomUUID } from 'node:crypto';
import type { Carrier } from '#contract/carrier.ts';
import { fail } from '#kernel/errors.ts';
import { type Db, first, rows, sql } from '#platform/db/db.ts';
import type { ReceivedPart } from './store.ts';

/** The right to write one part, and whose part it is. */
export interface PartLease {
  token: string;
  upload_id: string;
  part_number: number;
  workspace_id: string;
  file_id: string;
  /** The trace context that the upload was signed in. */
  carrier: Carrier | null;
}

/**
 * What is known of the parts of uploads to a shared disk, so that any api instance may serve any
 * part. A part has an ETag, or a writer, or neither; never both.
 */
export interface PartLedger {
  /** Takes the part for one writer and forgets its earlier ETag. @throws upload_not_found, upload_closed, part_in_flight */
  lease(uploadId: string, part: number, size: number): Promise<PartLease>;
  /** False when the lease is no longer ours. */
  renew(lease: PartLease): Promise<boolean>;
  /** Only after the bytes are on the disk. @throws upload_closed when the lease was lost meanwhile */
  record(lease: PartLease, etag: string): Promise<void>;
  /** Gives the part up, unwritten. */
  release(lease: PartLease): Promise<void>;
  parts(uploadId: string): Promise<ReceivedPart[]>;
  /** Those of `uploadIds` that may still get bytes. */
  open(uploadIds: string[]): Promise<Set<string>>;
}

export interface LedgerOptions {
  /** A writer that was killed blocks its part this long. */
  leaseMs?: number;
  /** An upload that gets parts lives on this long. */
  lifetimeMs?: number;
}

const HOUR = 3_600_000;

/** The ledger in tables `uploads` and `upload_parts`. Leases run on the database's clock alone. */
export function postgresPartLedger(db: Db, options: LedgerOptions = {}): PartLedger {
  const leaseMs = options.leaseMs ?? 15_000;
  const lifetimeMs = options.lifetimeMs ?? 24 * HOUR;
  return {
    lease: (uploadId, part, size) => lease(db, leaseMs, uploadId, part, size),
    renew: async (held) => {
      const renewed = await first(
        db,
        sql`UPDATE upload_parts SET lease_until = now() + ${leaseMs} * interval '1 millisecond'
            WHERE upload_id = ${held.upload_id} AND part_number = ${held.part_number} AND lease = ${held.token}
            RETURNING 1`,
      );
      return renewed !== undefined;
    },
    record: (held, etag) => record(db, lifetimeMs, held, etag),
    release: async (held) => {
      await sql`DELETE FROM upload_parts WHERE upload_id = ${held.upload_id}
                AND part_number = ${held.part_number} AND lease = ${held.token}`.execute(db);
    },
    parts: (uploadId) =>
      rows<ReceivedPart>(
        db,
        sql`SELECT part_number, size, etag FROM upload_parts
            WHERE upload_id = ${uploadId} AND etag IS NOT NULL ORDER BY part_number`,
      ),
    open: async (uploadIds) => {
      const found = await rows<{ id: string }>(
        db,
        sql`SELECT id FROM uploads WHERE id = ANY(${uploadIds}::uuid[]) AND state IN ('open', 'completing')`,
      );
      return new Set(found.map((row) => row.id));
    },
  };
}

interface LeaseRow {
  workspace_id: string;
  file_id: string;
  carrier: Carrier | null;
  taken: boolean;
}

/** `FOR SHARE` makes a lease and `complete` (which locks the upload) exclude one another. */
async function lease(db: Db, leaseMs: number, uploadId: string, part: number, size: number): Promise<PartLease> {
  const token = randomUUID();
  const row = await first<LeaseRow>(
    db,
    sql`WITH upload AS (
          SELECT id, workspace_id, file_id, carrier FROM uploads
          WHERE id = ${uploadId} AND state = 'open' AND expires_at > now() FOR SHARE
        ), taken AS (
          INSERT INTO upload_parts AS p (upload_id, part_number, size, lease, lease_until)
          SELECT id, ${part}, ${size}, ${token}, now() + ${leaseMs} * interval '1 millisecond' FROM upload
          ON CONFLICT (upload_id, part_number) DO UPDATE
            SET size = excluded.size, etag = NULL, received_at = NULL,
                lease = excluded.lease, lease_until = excluded.lease_until
            WHERE p.lease IS NULL OR p.lease_until < now()
          RETURNING p.upload_id
        )
        SELECT workspace_id, file_id, carrier, EXISTS (SELECT FROM taken) AS taken FROM upload`,
  );
  if (!row) throw await notOpen(db, uploadId);
  if (!row.taken) {
    throw fail('part_in_flight', `Part ${part} is being written by another request.`, {
      hint: 'Wait for it to end, or retry in some seconds if its connection is gone.',
      retry_after: Math.max(1, Math.ceil(leaseMs / 5000)),
    });
  }
  const { workspace_id, file_id, carrier } = row;
  return { token, upload_id: uploadId, part_number: part, workspace_id, file_id, carrier };
}

async function notOpen(db: Db, uploadId: string): Promise<Error> {
  const row = await first<{ state: string }>(db, sql`SELECT state FROM uploads WHERE id = ${uploadId}`);
  if (!row) return fail('upload_not_found', 'There is no such upload.');
  const how = row.state === 'open' ? 'expired' : row.state;
  return fail('upload_closed', `The upload takes no more parts: it is ${how}.`);
}

/**
 * The upload's own row is touched in a second statement, and only once in a 24th of its lifetime: updating it in the
 * first would take the two tables' locks in the opposite order of `lease`, a deadlock.
 */
async function record(db: Db, lifetimeMs: number, held: PartLease, etag: string): Promise<void> {
  const done = await first<{ expires_at: Date; now: Date }>(
    db,
    sql`UPDATE upload_parts p SET etag = ${etag}, lease = NULL, lease_until = NULL, received_at = now()
        FROM uploads u
        WHERE p.upload_id = ${held.upload_id} AND p.part_number = ${held.part_number} AND p.lease = ${held.token}
          AND u.id = p.upload_id AND u.state = 'open'
        RETURNING u.expires_at, now() AS now`,
  );
  if (!done) throw fail('upload_closed', 'The upload ended, or another request took this part over.');
  if (done.expires_at.getTime() - done.now.getTime() > lifetimeMs - lifetimeMs / 24) return;
  await sql`UPDATE uploads SET expires_at = now() + ${lifetimeMs} * interval '1 millisecond'
            WHERE id = ${held.upload_id} AND state = 'open'`.execute(db);
}
