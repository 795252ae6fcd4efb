-- Dashboards are data: panels of queries over metrics, with variables that choose a system, service and instance.

CREATE TABLE dashboards (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,   -- null: the installation's
  builtin text,
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  variables text[] NOT NULL,
  panels jsonb NOT NULL,                         -- Panel[] of src/contract/dashboards.ts
  edited boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dashboards_name
  ON dashboards (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000'), lower(name));
CREATE UNIQUE INDEX dashboards_builtin ON dashboards (builtin) WHERE builtin IS NOT NULL;
