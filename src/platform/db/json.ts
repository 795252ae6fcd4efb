/**
 * JSON as `jsonb` takes it: PostgreSQL refuses NUL and lone surrogates inside strings, and both come
 * out of users' files (names of columns, values in profiles).
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'string') return clean(inner);
    if (inner !== null && typeof inner === 'object' && !Array.isArray(inner) && !('toJSON' in inner)) {
      return Object.fromEntries(Object.entries(inner).map(([key, item]) => [clean(key), item]));
    }
    return inner;
  });
}

function clean(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? text.replaceAll('\0', '␀').toWellFormed() : text;
}
