import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findBrowser } from '../test/support/find-browser.ts';
import { missingMonitor } from '../test/support/prometheus.ts';
import { withoutOpenpyxl } from '../test/support/spreadsheet.ts';

/** Another apt may run meanwhile. */
const APT = ['-qq', '-o', 'DPkg::Lock::Timeout=600'];

interface Tool {
  what: string;
  packages: string[];
  /** Which test files need it. */
  wanted: RegExp;
  present(): boolean;
  /** Only for the long forms: it is large. */
  soak?: boolean;
}

const answers = (program: string, question = '--version'): boolean => spawnSync(program, [question]).status === 0;

const TOOLS: readonly Tool[] = [
  {
    what: 'Chromium for the browser tests',
    packages: ['chromium'],
    wanted: /browser/,
    present: () => findBrowser() !== undefined,
  },
  {
    what: 'openpyxl, which reads the workbooks that reports are',
    packages: ['python3-openpyxl'],
    wanted: /reports/,
    present: () => withoutOpenpyxl === false,
  },
  {
    what: 'LibreOffice, which computes the formulas of reports',
    packages: ['libreoffice-calc-nogui'],
    wanted: /reports|scenario-c/,
    present: () => answers('soffice'),
    soak: true,
  },
  {
    what: 'promtool and amtool, which policies are compared with',
    packages: ['prometheus', 'prometheus-alertmanager'],
    wanted: /promtool|alerts/,
    present: () => answers('promtool') && answers('amtool'),
  },
  {
    what: 'Prometheus, Alertmanager and the blackbox exporter, which see an instance die from outside',
    packages: ['prometheus', 'prometheus-alertmanager', 'prometheus-blackbox-exporter'],
    wanted: /instance-down/,
    present: () => missingMonitor === undefined,
  },
  {
    what: 'nginx, whose configuration is checked and whose logs are followed',
    packages: ['nginx-light'],
    wanted: /nginx|tail/,
    present: () => answers('nginx', '-v') || answers('/usr/sbin/nginx', '-v'),
  },
  {
    what: 'ffmpeg, which processes videos',
    packages: ['ffmpeg'],
    wanted: /video|scenario-e/,
    present: () => answers('ffmpeg', '-version') && answers('ffprobe', '-version'),
  },
];

/**
 * On Debian, as root, the programs that `files` need are installed. Where they are missing and cannot be installed
 * those tests say so and are skipped.
 */
export function installTools(files: readonly string[]): void {
  const able = process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/etc/debian_version');
  if (!able) return;
  for (const { what, packages, wanted, present, soak = false } of TOOLS) {
    if (soak && process.env['CAUDAL_SOAK'] !== '1') continue;
    if (!files.some((file) => wanted.test(file)) || present()) continue;
    process.stdout.write(`→ installing ${what}\n`);
    apt('update');
    apt('install', '-y', '--no-install-recommends', ...packages);
  }
}

function apt(...args: string[]): void {
  // In single-user mode no package starts its service.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const { status, stderr } = spawnSync('apt-get', [...APT, ...args], { env, encoding: 'utf8' });
  if (status !== 0) process.stdout.write(`apt-get ${args[0]}: ${stderr.trim()}\n`);
}
