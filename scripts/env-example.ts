import { writeFileSync } from 'node:fs';
import { exampleEnvironment } from '#config';

/** Writes `.env.example` from the table of settings; a test fails when it is stale. */
writeFileSync(new URL('../.env.example', import.meta.url), exampleEnvironment());
