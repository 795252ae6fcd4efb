-- Objects that a running task has put, or is about to put, before its commit makes them files. Whoever runs the task again
-- knows from here what a killed run left in the store; the commit removes the rows.

CREATE TABLE task_objects (
  task_id uuid NOT NULL REFERENCES tasks ON DELETE CASCADE,
  object_key text NOT NULL,
  PRIMARY KEY (task_id, object_key)
);
