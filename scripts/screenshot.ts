/**
 * The picture in the README: `node scripts/screenshot.ts`. Starts an installation on a temporary directory
 * with a PostgreSQL of its own, loads a generated file and photographs its dataset. The console must be built.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { installation } from '../test/support/caudal.ts';
import { findBrowser } from '../test/support/find-browser.ts';
import { writeOrders } from '../test/support/orders.ts';

const PICTURE = join(import.meta.dirname, '../docs/images/console.png');
const ROWS = 48_000;

const executablePath = findBrowser();
if (!executablePath) throw new Error('Chromium is needed; on Debian: apt-get install chromium');
const folder = mkdtempSync(join(tmpdir(), 'caudal-screenshot-'));
const home = installation();
const running = await home.up();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const { url, email, password } = home.admin();
  const file = writeOrders(folder, 'orders.csv', ROWS, [4_711, 20_011, 33_333]);
  const loaded = await home.caudal('upload', file);
  if (loaded.code !== 0) throw new Error(loaded.err);
  const viewport = { width: 1280, height: 800 };
  const page = await browser.newPage({
    baseURL: url,
    viewport,
    colorScheme: 'light',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  await page.request.post('/auth/login', { data: { email, password } });
  await page.goto('/data/orders');
  await page.locator('[data-row="10"]').waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: PICTURE });
} finally {
  await browser.close();
  await running.stop();
  home.remove();
  rmSync(folder, { recursive: true, force: true });
}
