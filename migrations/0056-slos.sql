-- Service levels: what is counted, minute by minute, and what is left of each budget.

CREATE TABLE slos (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,   -- null: the installation's
  builtin text,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  service text NOT NULL DEFAULT '',
  good_query text NOT NULL,                      -- PromQL of one minute: how many events were good
  total_query text NOT NULL,                     -- and how many there were
  target double precision NOT NULL CHECK (target > 0 AND target < 1),
  window_ms bigint NOT NULL,
  least_events integer NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  edited boolean NOT NULL DEFAULT false,
  counted_to timestamptz,                        -- the end of the last minute that was counted
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX slos_name ON slos (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000'), lower(name));
CREATE UNIQUE INDEX slos_builtin ON slos (builtin) WHERE builtin IS NOT NULL;

CREATE TABLE slo_minutes (                       -- outlives raw metrics; minutes without events have no row
  slo_id uuid NOT NULL REFERENCES slos ON DELETE CASCADE,
  minute timestamptz NOT NULL,                   -- its end
  good double precision NOT NULL,
  total double precision NOT NULL,
  PRIMARY KEY (slo_id, minute)
);
CREATE INDEX slo_minutes_age ON slo_minutes (minute);
