import type { DeclaredColumn } from '#contract/datasets.ts';
import type { FormSettings } from '#contract/forms.ts';
import { allows, type Principal } from '#contract/principal.ts';
import { type CaudalError, fail } from '#kernel/errors.ts';
import { type Db, first, sql } from '#platform/db/db.ts';

export interface Form {
  dataset_id: string;
  workspace_id: string;
  /** The dataset's name. */
  name: string;
  slug: string;
  columns: DeclaredColumn[];
  settings: Omit<FormSettings, 'slug'>;
}

/**
 * The form at an address, if the caller may fill it in: anybody a public one, otherwise who may write to the dataset.
 * @throws form_not_found, also to whom the dataset is not to be known; forbidden to its own workspace
 */
export async function findForm(db: Db, slug: string, principal: Principal | null): Promise<Form> {
  const form = await first(
    db,
    sql<Form>`
      SELECT id AS dataset_id, workspace_id, name, form_slug AS slug, declared AS columns, form AS settings
      FROM datasets
      WHERE lower(form_slug) = lower(${slug}) AND deleted_at IS NULL AND declared IS NOT NULL`,
  );
  if (!form) throw nothing(slug);
  if (form.settings.public) return form;
  if (principal?.workspace_id !== form.workspace_id) throw nothing(slug);
  if (!allows(principal.scopes, 'datasets:write', form.name)) {
    throw fail('forbidden', `This needs the scope datasets:write (or datasets:write:${form.name}).`);
  }
  return form;
}

function nothing(slug: string): CaudalError {
  return fail('form_not_found', `There is no form "${slug.slice(0, 100)}".`, {
    hint: 'If it is not public, sign in to its workspace first.',
  });
}
