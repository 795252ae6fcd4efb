-- Metrics become series, points and histogram points; rollups of spans (rate, errors, duration by the minute; traces)
-- outlive them. What was kept of metrics before was one wide table that nothing reads any more.

ALTER TABLE telemetry_segments DROP CONSTRAINT telemetry_segments_signal_check;
UPDATE telemetry_segments SET removed_at = now() WHERE signal = 'points' AND removed_at IS NULL;
ALTER TABLE telemetry_segments ADD CONSTRAINT telemetry_segments_signal_check
  CHECK (signal IN ('spans', 'logs', 'series', 'points', 'hpoints', 'resources', 'red_1m', 'traces'));
