import { Type } from 'typebox';
import { fail } from '#kernel/errors.ts';
import { isUuid } from '#kernel/ids.ts';

/** The query every list takes. */
export const PageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'How many at most (default 50)' }),
  ),
  cursor: Type.Optional(Type.String({ maxLength: 500, description: '`next_cursor` of the page before' })),
};

/** `{items, next_cursor}` of any item. */
export function PageOf<T extends Type.TSchema>(item: T) {
  return Type.Object({
    items: Type.Array(item),
    next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Null on the last page' }),
  });
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/**
 * A page out of `limit + 1` rows ordered by descending id: the extra row only says that there is more.
 */
export function pageOf<R extends { id: string }, T>(found: R[], limit: number, show: (row: R) => T): Page<T> {
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(show),
    next_cursor: found.length > limit && last ? last.id : null,
  };
}

/** The id to go on below, or null on the first page. @throws bad_cursor */
export function cursorId(cursor: string | undefined): string | null {
  if (cursor === undefined || cursor === '') return null;
  if (!isUuid(cursor)) throw fail('bad_cursor', 'The cursor is not one that a list of ours gave out.');
  return cursor;
}
