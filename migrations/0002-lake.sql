-- The lake's commit side: what a replay needs to read raw text again, names that differ only in
-- case, and which version ended a source.

ALTER TABLE datasets ADD COLUMN description text;
-- DuckDB folds the case of table names: "Titanic" and "titanic" cannot both be queried.
CREATE UNIQUE INDEX datasets_name_folded ON datasets (workspace_id, lower(name)) WHERE deleted_at IS NULL;

ALTER TABLE sources
  ADD COLUMN sniffed jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN columns jsonb NOT NULL DEFAULT '[]',   -- as read: [{name, field_id, type}], in the file's order
  ADD COLUMN ended_version bigint;                  -- a replace or a repeated load ended its rows

ALTER TABLE quarantine
  ADD COLUMN raw_format text NOT NULL DEFAULT 'source' CHECK (raw_format IN ('source', 'json'));

-- A version holds a segment while added_version <= version < removed_version.
CREATE INDEX segments_versions ON segments (dataset_id, added_version);
CREATE INDEX dataset_versions_kept ON dataset_versions (dataset_id, version) WHERE NOT gone;
