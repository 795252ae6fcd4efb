import { writeFileSync } from 'node:fs';
import { generatedFiles, inRoot } from './docs/generated.ts';

/** `node scripts/docs.ts` writes every page (or part of one) that comes from a table of the program; a test fails on a stale one. */
for (const { path, text } of await generatedFiles()) writeFileSync(inRoot(path), text);
