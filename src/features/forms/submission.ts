import { CaudalError, type FieldError } from '#kernel/errors.ts';
import { type Tx, transaction } from '#platform/db/db.ts';
import { withSpan } from '#platform/observe/tracing.ts';
import type { FormDeps } from './deps.ts';
import { allErrors, answerTo, readRow, type Submission } from './read-row.ts';

/** Everything that is wrong at once. */
export class SubmissionRefused extends Error {
  /** By column's name. */
  readonly errors: FieldError[];
  /** Column → photo that was right: stored for an hour, so that it need not be sent again. */
  readonly photos: Record<string, string>;
  /** What a program is answered. */
  readonly answer: CaudalError;

  constructor(errors: FieldError[], photos: Record<string, string>, answer: CaudalError) {
    super(answer.message);
    this.errors = errors;
    this.photos = photos;
    this.answer = answer;
  }
}

/** What else belongs to the transaction that accepts the row. */
export interface Around {
  before?(tx: Tx): Promise<void>;
  after?(tx: Tx, id: string): Promise<void>;
}

/**
 * Judges the values, checks and stores the photos, then accepts the row and keeps its photos in one transaction, with
 * what goes around it. Photos of a refused row are not kept: they are the caller's to discard or to offer again.
 *
 * @returns the id of the row's source
 * @throws SubmissionRefused; image_busy; what `around` throws
 */
export async function submit(deps: FormDeps, submission: Submission, around: Around): Promise<string> {
  const { target, principal } = submission;
  const attributes = { 'caudal.workspace': target.workspace_id, 'caudal.dataset': target.name };
  return withSpan('submit form', { attributes }, async (span) => {
    const { record, photos, refusals } = await readRow(deps, submission);
    const errors = allErrors(deps.judge(target, record), refusals);
    if (errors.length > 0) throw new SubmissionRefused(errors, photos, answerTo(errors, refusals));
    try {
      return await transaction(deps.db, async (tx) => {
        await around.before?.(tx);
        await deps.photos.keep(tx, target, Object.values(photos));
        const id = await deps.accept(tx, target, record, principal);
        span.setAttribute('caudal.source.id', id);
        await around.after?.(tx, id);
        return id;
      });
    } catch (error) {
      if (!(error instanceof CaudalError) || !error.errors || error.status >= 500) throw error;
      throw new SubmissionRefused(error.errors, photos, error);
    }
  });
}
