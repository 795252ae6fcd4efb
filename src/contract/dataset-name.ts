/** Letters and digits of any script, `_` and `-`: safe in a URL, in a scope and before a format suffix. */
export const DATASET_NAME = '^[\\p{L}\\p{N}_][\\p{L}\\p{M}\\p{N}_-]{0,99}$';
const DATASET_NAME_PATTERN = new RegExp(DATASET_NAME, 'u');

export function isDatasetName(text: string): boolean {
  return DATASET_NAME_PATTERN.test(text);
}
