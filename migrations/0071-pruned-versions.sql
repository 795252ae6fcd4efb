-- What `pruneVersions` looks for. A drain or a compaction leaves a version every 200 ms under load.
CREATE INDEX dataset_versions_pruned ON dataset_versions (committed_at)
  WHERE gone AND (kind = 'compact' OR (kind = 'append' AND task_id IS NULL));
