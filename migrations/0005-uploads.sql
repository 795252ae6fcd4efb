-- Who is completing an upload: only the latest claimant may open it again when its try fails.
ALTER TABLE uploads ADD COLUMN claim uuid;

-- What the sweeper looks for: the abandoned, and the aborted whose bytes are not known to be gone.
CREATE INDEX uploads_unswept ON uploads (expires_at) WHERE state <> 'completed' AND store_upload_id IS NOT NULL;
