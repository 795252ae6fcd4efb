-- Saved queries that are read as an API. A definition never changes: the next one is the next version.

CREATE TABLE endpoints (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  name text NOT NULL,
  public boolean NOT NULL,
  version integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (workspace_id, name)
);
-- Whoever is not signed in has no workspace: the name alone must say which one is meant.
CREATE UNIQUE INDEX endpoints_public_name ON endpoints (name) WHERE public;

CREATE TABLE endpoint_versions (
  endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
  version integer NOT NULL,
  definition jsonb NOT NULL,
  scopes text[] NOT NULL,                        -- what its author might read: the query may no more
  user_id uuid NOT NULL,
  author text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (endpoint_id, version)
);
