/**
 * Makes `src/features/telemetry/otlp/generated/` from `otlp.proto`. Run by hand after a change of that file:
 *
 *   npm install --no-save @bufbuild/buf@1.75.0 @bufbuild/protoc-gen-es@2.17.0 && node scripts/generate-otlp.ts
 *
 * The result is committed, so that neither tool is a dependency.
 */
import { execFileSync } from 'node:child_process';

const folder = 'src/features/telemetry/otlp';
const template = JSON.stringify({
  version: 'v2',
  plugins: [
    {
      local: 'protoc-gen-es',
      out: `${folder}/generated`,
      opt: ['target=ts', 'erasable_syntax=true', 'import_extension=ts'],
    },
  ],
});
execFileSync('buf', ['generate', folder, '--template', template], { stdio: 'inherit' });
