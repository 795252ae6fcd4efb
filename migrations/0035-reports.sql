-- Every report that was begun: what it was made of, and where its workbook is if it was kept.

CREATE TABLE reports (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  version bigint NOT NULL,
  query text NOT NULL,                           -- path and query string
  rows bigint,                                   -- null: not (yet) whole
  groups integer,
  truncated boolean,
  file_id uuid,
  task_id uuid,
  trace_id text,
  made_by text NOT NULL,                         -- username at the time
  made_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX reports_dataset ON reports (dataset_id, id DESC);
CREATE INDEX reports_trace ON reports (workspace_id, trace_id);

-- How many reports were begun: part of the key under which charts are kept, so that a report refreshes them everywhere.
ALTER TABLE datasets ADD COLUMN reports bigint NOT NULL DEFAULT 0;
