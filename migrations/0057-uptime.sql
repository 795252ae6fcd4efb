-- Uptime checks and what they saw.

CREATE TABLE uptime_checks (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,   -- null: the installation's; those may reach private addresses
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('http', 'tcp')),
  target text NOT NULL,                          -- a URL, or host:port
  interval_ms bigint NOT NULL,
  timeout_ms bigint NOT NULL,
  expect jsonb NOT NULL DEFAULT '{}',            -- {status?: [200, …], body?: substring}
  enabled boolean NOT NULL DEFAULT true,
  started_at timestamptz,                        -- of the last run
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX uptime_checks_name
  ON uptime_checks (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000'), lower(name));

CREATE TABLE uptime_results (
  check_id uuid NOT NULL REFERENCES uptime_checks ON DELETE CASCADE,
  at timestamptz NOT NULL,
  up boolean NOT NULL,
  latency_ms double precision NOT NULL,
  status integer,
  certificate_days double precision,
  error text,
  PRIMARY KEY (check_id, at)
);
CREATE INDEX uptime_results_age ON uptime_results (at);
