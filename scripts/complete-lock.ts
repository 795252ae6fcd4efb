/**
 * Adds to package-lock.json the platform packages (optional dependencies) that the registry at hand did
 * not offer when the lock was made. Without them `npm ci` of npm 11 refuses the lock as "not in sync",
 * and other platforms would miss their binaries. Run after each change of dependencies.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Entry {
  version?: string;
  optionalDependencies?: Record<string, string>;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
}

const PATH = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(PATH, 'utf8')) as { packages: Record<string, Entry> };

const OS = /\b(darwin|linux|win32|android|freebsd|openbsd|netbsd|sunos|aix|openharmony|wasi)/;
const CPU = /-(x64|arm64|ia32|arm|ppc64|ppc64le|riscv64|s390x|loong64|mips64el)(?:-|$)/;

let added = 0;
for (const [, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] || !/^\d/.test(range)) continue;
    const os = OS.exec(name)?.[1];
    const cpu = CPU.exec(name)?.[1];
    lock.packages[key] = {
      version: range,
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
    added += 1;
  }
}
const sorted = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(PATH, `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
process.stdout.write(`package-lock.json: ${added} platform packages added\n`);
