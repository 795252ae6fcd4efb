-- Who called whom, by the hour: made when the spans of an hour are compacted.

ALTER TABLE telemetry_segments DROP CONSTRAINT telemetry_segments_signal_check;
ALTER TABLE telemetry_segments ADD CONSTRAINT telemetry_segments_signal_check
  CHECK (signal IN ('spans', 'logs', 'series', 'points', 'hpoints', 'resources', 'red_1m', 'traces', 'edges_1h'));
