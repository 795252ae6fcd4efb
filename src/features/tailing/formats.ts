import type { LogFormat } from './entry.ts';
import { NGINX } from './nginx.ts';
import { POSTGRESQL } from './postgresql.ts';
import { TEXT } from './text.ts';

export const FORMATS = { nginx: NGINX, postgresql: POSTGRESQL, text: TEXT } satisfies Record<string, LogFormat>;

export type FormatName = keyof typeof FORMATS;
