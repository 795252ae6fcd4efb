import type { DatasetForm, FormSettings } from '#contract/forms.ts';
import { fail, invalid } from '#kernel/errors.ts';
import { first, sql, type Tx, uniqueViolation } from '#platform/db/db.ts';
import { jsonText } from '#platform/db/json.ts';

/** As the database holds it: `form` without what the slug's own column says. */
export interface StoredForm {
  form: Omit<FormSettings, 'slug'> | null;
  form_slug: string | null;
}

export function toForm({ form, form_slug }: StoredForm): DatasetForm | undefined {
  if (form === null || form_slug === null) return undefined;
  const url = `/forms/${encodeURIComponent(form_slug)}`;
  return { ...form, public: form.public ?? false, slug: form_slug, url };
}

/** Gives a dataset its form, another one, or (null) none. @throws invalid_input, form_slug_taken */
export async function setForm(tx: Tx, datasetId: string, settings: FormSettings | null): Promise<void> {
  const dataset = await first(
    tx,
    sql<{ name: string; columns: { name: string }[] | null }>`
      SELECT name, declared AS columns FROM datasets WHERE id = ${datasetId}`,
  );
  if (settings) checkForm(settings, dataset?.columns ?? null);
  const { slug = dataset?.name ?? null, ...form } = settings ?? { slug: null };
  try {
    await sql`
      UPDATE datasets SET form = ${settings ? jsonText(form) : null}::jsonb, form_slug = ${slug}, updated_at = now()
      WHERE id = ${datasetId}`.execute(tx);
  } catch (error) {
    if (uniqueViolation(error) === undefined) throw error;
    const message = `The address /forms/${slug} belongs to another form of this installation.`;
    throw fail('form_slug_taken', message, {
      errors: [{ field: 'form.slug', code: 'taken', message }],
      hint: 'Choose another form.slug.',
    });
  }
}

/** A label follows its column to the new name. */
export async function renameLabels(tx: Tx, datasetId: string, renames: Record<string, string>): Promise<void> {
  const stored = await first(tx, sql<StoredForm>`SELECT form, form_slug FROM datasets WHERE id = ${datasetId}`);
  if (!stored?.form?.labels) return;
  const entries = Object.entries(stored.form.labels).map(([name, label]) => [renames[name] ?? name, label]);
  const form = { ...stored.form, labels: Object.fromEntries(entries) };
  await sql`UPDATE datasets SET form = ${jsonText(form)}::jsonb WHERE id = ${datasetId}`.execute(tx);
}

function checkForm({ labels }: FormSettings, columns: { name: string }[] | null): void {
  if (!columns) {
    throw invalid(
      'form',
      'A form is made of declared columns; the schema of this dataset is inferred.',
      'not_declared',
    );
  }
  const names = columns.map(({ name }) => name);
  const unknown = Object.keys(labels ?? {}).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalid(`form.labels.${unknown}`, `There is no column "${unknown}".`, 'column_not_found');
  }
  // Our own controls are called so.
  const reserved = names.find((name) => name.startsWith(':'));
  if (reserved !== undefined) {
    throw invalid('columns', `"${reserved}" begins with a colon, which a form cannot show.`, 'invalid_name');
  }
}
