import { SETTINGS } from '#config';
import type { Setting } from '#kernel/setting.ts';
import { markdownTable } from './table.ts';

/** Every setting of `src/config.ts`. */
export function settingsTable(): string {
  const rows = (Object.values(SETTINGS) as Setting<unknown>[]).map(({ env, fallback, doc, secret }) => [
    `\`${env}\``,
    fallback === '' ? '' : `\`${fallback}\``,
    secret ? `${doc} Secret.` : doc,
  ]);
  return markdownTable(['variable', 'default', 'what it is'], rows);
}
