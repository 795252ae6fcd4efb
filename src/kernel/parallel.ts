/**
 * Does `work` for every item, `width` at a time. After the first error no further item begins; those
 * under way end before it is thrown, so nothing goes on behind the caller's back.
 */
export async function eachParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const next = Iterator.from(items);
  const errors: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let item = next.next(); !item.done && errors.length === 0; item = next.next()) {
      try {
        await work(item.value);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  if (errors.length > 0) throw errors[0];
}
