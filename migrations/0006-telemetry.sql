-- Telemetry store: resources become a signal of their own, segments outlive their readers, and a write-ahead file
-- whose rows are already in committed segments is known as such after a crash.

ALTER TABLE telemetry_segments DROP CONSTRAINT telemetry_segments_signal_check;
ALTER TABLE telemetry_segments ADD CONSTRAINT telemetry_segments_signal_check
  CHECK (signal IN ('spans', 'logs', 'points', 'resources'));

-- Live while null. Removed segments keep their object for a while: a query may be reading it.
ALTER TABLE telemetry_segments ADD COLUMN removed_at timestamptz;
CREATE INDEX telemetry_segments_removed ON telemetry_segments (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX telemetry_segments_age ON telemetry_segments (signal, created_at) WHERE removed_at IS NULL;

CREATE TABLE telemetry_flushes (       -- written in the transaction that commits a file's segments
  wal_id uuid PRIMARY KEY,
  flushed_at timestamptz NOT NULL DEFAULT now()
);
