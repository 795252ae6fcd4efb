-- Which flushes a segment holds, as the XOR of their hashes: segments of spans and of their rollup with the same digest
-- hold the same traces, whenever each of them was merged. Older ones have none, and their spans are read instead.
ALTER TABLE telemetry_segments ADD COLUMN flush_digest bigint;
CREATE INDEX telemetry_segments_digest ON telemetry_segments (flush_digest) WHERE signal = 'traces' AND removed_at IS NULL;
