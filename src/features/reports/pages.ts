import type { RowRange } from '#platform/xlsx/workbook.ts';

/** A sheet of the detail: rows `from` up to but not `to` of all that are listed. */
export interface PlannedPage {
  title: string;
  from: number;
  to: number;
}

export interface Page extends PlannedPage {
  /** The name that the sheet got. */
  sheet: string;
}

/** Each title's rows on as many pages of at most `most` rows as they need; none is a page too. */
export function pagesOf(titles: readonly { title: string; rows: number }[], most: number): PlannedPage[] {
  let before = 0;
  return titles.flatMap(({ title, rows }) => {
    const start = before;
    before += rows;
    const count = Math.max(1, Math.ceil(rows / most));
    return Array.from({ length: count }, (_, index) => ({
      title,
      from: start + index * most,
      to: Math.min(start + rows, start + (index + 1) * most),
    }));
  });
}

/** Where each group's rows are: they are listed one group after another, below the header of each page. */
export function rangesOf(groups: readonly { rows: number }[], pages: readonly Page[]): RowRange[][] {
  let start = 0;
  let first = 0;
  return groups.map(({ rows }) => {
    const end = start + rows;
    const ranges: RowRange[] = [];
    while (first < pages.length - 1 && (pages[first]?.to ?? 0) <= start) first += 1;
    for (let at = first; at < pages.length; at += 1) {
      const { sheet, from, to } = pages[at] as Page;
      if (from >= end) break;
      const [low, high] = [Math.max(from, start), Math.min(to, end)];
      if (low < high) ranges.push({ sheet, first: low - from + 2, last: high - from + 1 });
    }
    start = end;
    return ranges;
  });
}
