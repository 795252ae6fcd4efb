-- Which instance lost which task, kept when another takes it over: the silent are noticed after their work has gone.

CREATE TABLE task_losses (
  task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
  workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
  instance_id uuid NOT NULL,
  kind text NOT NULL,
  attempt integer NOT NULL,
  started_at timestamptz NOT NULL,
  lost_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX task_losses_instance ON task_losses (instance_id, lost_at);
CREATE INDEX task_losses_task ON task_losses (task_id);
CREATE INDEX task_losses_time ON task_losses (lost_at);
