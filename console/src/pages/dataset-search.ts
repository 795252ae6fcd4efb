export const DATASET_TABS = ['rows', 'schema', 'sources', 'quarantine'] as const;
export type DatasetTab = (typeof DATASET_TABS)[number];

interface DatasetSearch {
  tab?: DatasetTab;
  /** A column's name, `-` before it for descending. */
  order?: string;
}

/** What the address of a dataset's page may hold; anything else is left out. */
export function datasetSearch(search: Record<string, unknown>): DatasetSearch {
  const tab = DATASET_TABS.find((each) => each === search['tab']);
  const { order } = search;
  return { ...(tab ? { tab } : {}), ...(typeof order === 'string' && order !== '' ? { order } : {}) };
}
