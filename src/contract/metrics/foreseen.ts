import type { SelectSeries, SeriesRequest } from './series.ts';

/**
 * Asks once for what many are about to ask, and answers each of them from that. What was not foreseen is asked for,
 * and so is everything when the one question fails: who asks for too much then fails alone.
 */
export async function selectForeseen(
  select: SelectSeries,
  requests: readonly SeriesRequest[],
  failed: (error: unknown) => void,
): Promise<SelectSeries> {
  const distinct = new Map(requests.map((request) => [JSON.stringify(request), request]));
  if (distinct.size < 2) return select;
  try {
    const answers = await select([...distinct.values()]);
    const known = new Map([...distinct.keys()].map((key, index) => [key, answers[index] ?? []]));
    return async (asked) => {
      const found = asked.flatMap((request) => {
        const series = known.get(JSON.stringify(request));
        return series ? [series] : [];
      });
      return found.length === asked.length ? found : select(asked);
    };
  } catch (error) {
    failed(error);
    return select;
  }
}
