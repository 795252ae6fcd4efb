-- Photos: files that came as a cell of a row. They are no uploads (GET /files does not list them unless asked), and
-- until the row that names them is accepted they are nobody's: what is not kept is swept.
ALTER TABLE files
  ADD COLUMN photo_of uuid REFERENCES datasets ON DELETE SET NULL,  -- the dataset whose row holds it
  ADD COLUMN photo_column text,
  ADD COLUMN kept_at timestamptz;                                   -- set in the transaction that accepts the row
CREATE INDEX files_photos ON files (photo_of, id DESC) WHERE photo_column IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX files_photos_unkept ON files (created_at) WHERE photo_column IS NOT NULL AND kept_at IS NULL;

-- The form's address is unique in the installation; the rest of the form is the owner's words (datasets.form).
ALTER TABLE datasets ADD COLUMN form_slug text;
CREATE UNIQUE INDEX datasets_form_slug ON datasets (lower(form_slug)) WHERE form_slug IS NOT NULL AND deleted_at IS NULL;
