-- The spine: accounts, objects, lake, tasks, instances. Times are timestamptz, ids UUIDv7,
-- states are checked here as well as in the transition tables of src/contract.

CREATE TABLE settings (            -- what the installation makes once (keys, ids)
  key text PRIMARY KEY,
  value jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspaces (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
  id uuid PRIMARY KEY,
  username text NOT NULL,
  email text NOT NULL,
  password_hash text NOT NULL,
  operator boolean NOT NULL DEFAULT false,
  token_generation integer NOT NULL DEFAULT 0,   -- a password change makes every earlier JWT void
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_key ON users (lower(username));
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

CREATE TABLE memberships (
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id, created_at);

CREATE TABLE invitations (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
  secret_hash bytea NOT NULL UNIQUE,
  invited_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at timestamptz
);

CREATE TABLE sessions (            -- one per sign-in; `id` is the JWT's jti
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE sign_in_links (       -- one-time links and password resets
  secret_hash bytea PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  purpose text NOT NULL CHECK (purpose IN ('sign_in', 'password_reset')),
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

CREATE TABLE api_tokens (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  name text NOT NULL,
  secret_hash bytea NOT NULL UNIQUE,             -- sha-256 of a 256-bit random secret
  prefix text NOT NULL,                          -- the first characters, to recognise it by
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_tokens_workspace ON api_tokens (workspace_id, id DESC);

CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  user_id uuid,
  actor text NOT NULL,                           -- username or token name at the time
  action text NOT NULL,                          -- e.g. token.created, file.deleted
  target text,
  detail jsonb NOT NULL DEFAULT '{}',
  address text,
  trace_id text,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_workspace ON audit_log (workspace_id, id DESC);

CREATE TABLE idempotency_keys (
  workspace_id uuid NOT NULL,                    -- nil uuid for calls before sign-in
  principal text NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  status integer,                                -- null while the first request runs
  headers jsonb,
  body bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, principal, route, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Objects -------------------------------------------------------------------------------

CREATE TABLE files (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  filename text NOT NULL,
  size bigint NOT NULL,
  content_type text,
  sha256 text,
  etag text,
  object_key text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'stored', 'loading', 'loaded', 'failed')),
  error jsonb,
  dataset text,                                  -- asked for at upload; null: named after the file
  load_options jsonb NOT NULL DEFAULT '{}',
  loads jsonb NOT NULL DEFAULT '[]',             -- FileLoad[]
  task_id uuid,                                  -- the latest load
  carrier jsonb,
  trace_id text,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE INDEX files_workspace ON files (workspace_id, id DESC) WHERE deleted_at IS NULL;

CREATE TABLE uploads (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  file_id uuid NOT NULL REFERENCES files ON DELETE CASCADE,
  state text NOT NULL CHECK (state IN ('open', 'completing', 'completed', 'aborted')),
  size bigint NOT NULL,
  part_size bigint NOT NULL,
  part_count integer NOT NULL,
  store_upload_id text,                          -- the object store's own id of the multipart
  carrier jsonb,                                 -- the signer's trace context: the loader continues it
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX uploads_open ON uploads (expires_at) WHERE state = 'open';

CREATE TABLE upload_parts (
  upload_id uuid NOT NULL REFERENCES uploads ON DELETE CASCADE,
  part_number integer NOT NULL,
  size bigint NOT NULL,
  etag text,                                     -- null while its writer holds the lease
  lease uuid,
  lease_until timestamptz,
  received_at timestamptz,
  PRIMARY KEY (upload_id, part_number)
);

-- Lake ----------------------------------------------------------------------------------

CREATE TABLE datasets (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  name text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('inferred', 'declared')),
  columns jsonb NOT NULL DEFAULT '[]',           -- Column[] of the newest version
  declared jsonb,                                -- what the owner declared (required, pattern, …)
  key_columns text[],
  on_conflict text CHECK (on_conflict IN ('reject', 'replace')),
  form jsonb,
  next_field_id integer NOT NULL DEFAULT 1,
  version bigint NOT NULL DEFAULT 0,
  rows bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX datasets_name ON datasets (workspace_id, name) WHERE deleted_at IS NULL;

CREATE TABLE dataset_versions (
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  version bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('create', 'append', 'replace', 'delete', 'compact', 'replay', 'schema')),
  columns jsonb NOT NULL,
  rows bigint NOT NULL,
  bytes bigint NOT NULL,
  task_id uuid,
  trace_id text,
  committed_at timestamptz NOT NULL DEFAULT now(),
  gone boolean NOT NULL DEFAULT false,           -- holds a deleted source, or was collected: 410
  PRIMARY KEY (dataset_id, version)
);

CREATE TABLE sources (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('file', 'events', 'rows', 'replay')),
  file_id uuid,
  filename text,
  table_name text,                               -- sheet or archive entry
  replay_of uuid,
  task_id uuid,
  trace_id text,
  span_id text,
  version bigint NOT NULL,
  read bigint NOT NULL,
  accepted bigint NOT NULL,
  quarantined bigint NOT NULL,
  duplicates bigint NOT NULL,
  skipped jsonb NOT NULL DEFAULT '[]',
  loaded_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CHECK (read = accepted + quarantined + duplicates)
);
CREATE INDEX sources_dataset ON sources (dataset_id, id DESC);
CREATE INDEX sources_file ON sources (file_id);

CREATE TABLE segments (
  id uuid PRIMARY KEY,
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  object_key text NOT NULL UNIQUE,
  rows bigint NOT NULL,
  bytes bigint NOT NULL,
  source_ids uuid[] NOT NULL,                    -- the sources whose rows it holds
  first_line bigint,                             -- line = first_line + row position; null: `_line` is a physical column
  columns jsonb NOT NULL,                        -- as written: [{name, field_id, type}]; a rename touches no file
  profile jsonb,                                 -- mergeable sketches per field id
  added_version bigint NOT NULL,
  removed_version bigint,                        -- live while null
  removed_at timestamptz,
  position bigint GENERATED ALWAYS AS IDENTITY   -- commit order
);
CREATE INDEX segments_live ON segments (dataset_id, position) WHERE removed_version IS NULL;
CREATE INDEX segments_removed ON segments (removed_at) WHERE removed_version IS NOT NULL;

CREATE TABLE quarantine (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
  source_id uuid NOT NULL REFERENCES sources ON DELETE CASCADE,
  file_id uuid,
  line bigint NOT NULL,
  column_name text,
  reason text NOT NULL,
  value text,
  raw text NOT NULL,
  trace_id text,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed')),
  replayed_by uuid,                              -- the replay's source
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quarantine_dataset ON quarantine (dataset_id, id DESC);
CREATE INDEX quarantine_source ON quarantine (source_id);

-- Work ----------------------------------------------------------------------------------

CREATE TABLE tasks (
  id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  kind text NOT NULL,
  status text NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  progress real NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 0,            -- runs that count
  deaths integer NOT NULL DEFAULT 0,             -- workers that died with it; they do not count
  fence bigint NOT NULL DEFAULT 0,               -- raised at every start: a late worker cannot commit
  input jsonb NOT NULL,
  output jsonb,
  error jsonb,
  cancel_requested_at timestamptz,
  retry_of uuid,
  instance_id uuid,
  carrier jsonb,
  trace_id text,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tasks_workspace ON tasks (workspace_id, id DESC);
CREATE INDEX tasks_active ON tasks (kind, created_at) WHERE status IN ('queued', 'running');

CREATE TABLE instances (
  id uuid PRIMARY KEY,
  roles text[] NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  address text,                                  -- where it can be reached, e.g. 127.0.0.1:4318
  version text NOT NULL,
  beat bigint NOT NULL DEFAULT 0,                -- counter: watchers compare it on their own monotonic clock
  load jsonb NOT NULL DEFAULT '{}',
  started_at timestamptz NOT NULL DEFAULT now(),
  heartbeat_at timestamptz NOT NULL DEFAULT now(),
  stopped_at timestamptz
);

-- Telemetry store: Parquet segments of spans and logs, per workspace and hour.
CREATE TABLE telemetry_segments (
  id uuid PRIMARY KEY,
  workspace_id uuid,                             -- null: the installation's own
  signal text NOT NULL CHECK (signal IN ('spans', 'logs', 'points')),
  object_key text NOT NULL UNIQUE,
  rows bigint NOT NULL,
  bytes bigint NOT NULL,
  from_ns bigint NOT NULL,
  to_ns bigint NOT NULL,
  compacted boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX telemetry_segments_time ON telemetry_segments (signal, workspace_id, to_ns DESC);
