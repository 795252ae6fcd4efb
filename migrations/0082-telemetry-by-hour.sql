-- Made when an hour is compacted: rate, errors and durations by the hour, and which traces have log lines.

ALTER TABLE telemetry_segments DROP CONSTRAINT telemetry_segments_signal_check;
ALTER TABLE telemetry_segments ADD CONSTRAINT telemetry_segments_signal_check
  CHECK (signal IN ('spans', 'logs', 'series', 'points', 'hpoints', 'resources', 'red_1m', 'traces', 'edges_1h', 'red_1h',
                    'log_traces_1h'));

DROP INDEX telemetry_segments_digest;
CREATE INDEX telemetry_segments_digest ON telemetry_segments (flush_digest)
  WHERE signal IN ('traces', 'red_1h', 'log_traces_1h') AND removed_at IS NULL;
