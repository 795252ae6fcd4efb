-- Policies, what they found, incidents, and what is told to whom. `workspace_id` null: the installation's own, the operator's.

CREATE TABLE policies (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  builtin text,                                  -- the key of what Caudal brought; null: made by people
  name text NOT NULL,
  summary text NOT NULL DEFAULT '',
  runbook text NOT NULL DEFAULT '',
  severity text NOT NULL CHECK (severity IN ('page', 'ticket', 'info')),
  enabled boolean NOT NULL DEFAULT true,
  condition jsonb NOT NULL,                      -- Condition of src/contract/policies.ts
  for_ms bigint NOT NULL DEFAULT 0,
  keep_firing_for_ms bigint NOT NULL DEFAULT 0,
  labels jsonb NOT NULL DEFAULT '{}',
  notify jsonb NOT NULL DEFAULT '{}',            -- Notify: grouping, waits, escalation, what inhibits it
  evaluated_at timestamptz,
  error text,                                    -- why it could not be evaluated the last time
  edited boolean NOT NULL DEFAULT false,         -- a built-in one that people changed is never overwritten
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX policies_name ON policies (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000'), lower(name));
CREATE UNIQUE INDEX policies_builtin ON policies (builtin) WHERE builtin IS NOT NULL;

CREATE TABLE policy_alerts (                     -- one row per series that meets a condition
  policy_id uuid NOT NULL REFERENCES policies ON DELETE CASCADE,
  key text NOT NULL,                             -- sha-256 of the labels
  labels jsonb NOT NULL,
  value double precision NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'firing')),
  active_at timestamptz NOT NULL,                -- outlives the evaluating process: `for` goes on counting
  fired_at timestamptz,
  missed_at timestamptz,
  PRIMARY KEY (policy_id, key)
);

CREATE TABLE incidents (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  policy_id uuid REFERENCES policies ON DELETE SET NULL,
  policy text NOT NULL,                          -- its name at the time
  severity text NOT NULL,
  group_key text NOT NULL,                       -- what makes it one incident: the policy's grouping labels
  labels jsonb NOT NULL DEFAULT '{}',
  title text NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
  detail jsonb NOT NULL DEFAULT '{}',            -- consequences: IncidentDetail of src/contract/incidents.ts
  opened_at timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  escalated_at timestamptz,
  resolved_at timestamptz
);
CREATE UNIQUE INDEX incidents_active ON incidents (policy_id, group_key) WHERE state <> 'resolved';
CREATE INDEX incidents_workspace ON incidents (workspace_id, id DESC);
CREATE INDEX incidents_policy ON incidents (policy_id, opened_at DESC);

CREATE TABLE incident_series (                   -- the series of an incident; those that ended stay for the record
  incident_id uuid NOT NULL REFERENCES incidents ON DELETE CASCADE,
  key text NOT NULL,
  labels jsonb NOT NULL,
  value double precision NOT NULL,
  fired_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (incident_id, key)
);

CREATE TABLE incident_events (
  id uuid PRIMARY KEY,
  incident_id uuid NOT NULL REFERENCES incidents ON DELETE CASCADE,
  kind text NOT NULL,
  actor text NOT NULL,                           -- a person's name, or `caudal`
  detail jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL
);
CREATE INDEX incident_events_incident ON incident_events (incident_id, id);

CREATE TABLE channels (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('email', 'webhook', 'pagerduty')),
  config jsonb NOT NULL,
  secret text,                                   -- of a webhook's signature, or a routing key: never answered
  severities text[] NOT NULL,
  escalation boolean NOT NULL DEFAULT false,     -- hears of an incident only once it escalates
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX channels_workspace ON channels (workspace_id, id DESC);

CREATE TABLE silences (
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  matchers jsonb NOT NULL,
  comment text NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX silences_workspace ON silences (workspace_id, id DESC);

CREATE TABLE notifications (                     -- the outbox: what shall be told, and what was
  id uuid PRIMARY KEY,
  workspace_id uuid REFERENCES workspaces ON DELETE CASCADE,
  incident_id uuid REFERENCES incidents ON DELETE CASCADE,
  channel_id uuid REFERENCES channels ON DELETE CASCADE,
  reason text NOT NULL CHECK (reason IN ('opened', 'updated', 'repeated', 'escalated', 'resolved', 'test', 'mail')),
  once text NOT NULL UNIQUE,                     -- two evaluators cannot both tell the same
  mail jsonb,                                    -- a mail of another room, as it shall be sent
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dropped', 'failed')),
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  held text,                                     -- why it waits although it is due: silenced, inhibited
  error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX notifications_due ON notifications (due_at) WHERE state = 'waiting';
CREATE INDEX notifications_incident ON notifications (incident_id, id);
CREATE INDEX notifications_age ON notifications (ended_at) WHERE ended_at IS NOT NULL;
