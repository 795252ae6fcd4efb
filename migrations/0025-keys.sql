-- Keys of rows, which Parquet cannot enforce, and rows that were deleted one by one.

-- One row per key that a dataset holds (or that an acknowledged row has taken and its drain will bring). The
-- hash is a UUID because those 16 bytes need no header and are compared as they are. No reference to `datasets`:
-- checking it for each of millions of rows costs as much as inserting them; the sweeper clears up instead.
CREATE TABLE dataset_keys (
  dataset_id uuid NOT NULL,
  key_hash uuid NOT NULL,
  source_id uuid NOT NULL,                       -- whose row has it
  PRIMARY KEY (dataset_id, key_hash)
);
-- To release a source's keys. Source ids are made in the order of time, as the table's pages are filled, so
-- that a few bytes per range of pages do what a second B-tree would for half the price of an insert.
CREATE INDEX dataset_keys_source ON dataset_keys USING brin (source_id) WITH (pages_per_range = 16, autosummarize = on);

-- Positions of rows that a version took out of a segment; compaction folds them in.
CREATE TABLE segment_deletes (
  segment_id uuid NOT NULL REFERENCES segments ON DELETE CASCADE,
  version bigint NOT NULL,
  positions integer[] NOT NULL,
  PRIMARY KEY (segment_id, version)
);

ALTER TABLE segments ADD COLUMN deleted bigint NOT NULL DEFAULT 0;   -- of its rows, by the newest version
