import assert from 'node:assert/strict';
import test from 'node:test';
import type { Page } from 'playwright-core';
import type { File as CaudalFile } from '#contract/files.ts';
import { chooseFiles, fileLine, needsBrowser, openPage, startBrowser, violations } from '../support/browser.ts';
import { startInstance } from '../support/instance.ts';
import { writeOrders } from '../support/orders.ts';

interface Stop {
  path: string;
  /** There when the page is drawn. */
  until: string;
  /** What is opened before one looks. */
  look?(page: Page): Promise<void>;
}

const FILE = 'tr[data-file="orders.csv"]';

async function openMenu(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'orders.csv' }).click();
  await page.getByRole('menu').waitFor();
}

async function openAccount(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'operator' }).click();
  await page.getByRole('menu').waitFor();
}

async function openRow(page: Page): Promise<void> {
  await page.locator('[data-row="3"]').click();
  await page.getByRole('dialog').waitFor();
}

async function openReplay(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^(Replay|Repetir)/ }).click();
  await page.getByRole('dialog').waitFor();
}

async function openSpan(page: Page): Promise<void> {
  await page.locator('.trace-open').first().click();
  await page.locator('.span-detail').waitFor();
}

async function runQuery(page: Page): Promise<void> {
  await page.locator('textarea').first().press('Control+Enter');
  await page.getByRole('grid').waitFor();
}

function stops(trace: string): Stop[] {
  return [
    { path: '/', until: FILE },
    { path: '/', until: FILE, look: openMenu },
    { path: '/data', until: 'table' },
    { path: '/data', until: 'table', look: openAccount },
    { path: '/data/orders', until: '[data-row="3"]' },
    { path: '/data/orders', until: '[data-row="3"]', look: openRow },
    { path: '/data/orders?tab=schema', until: 'tr[data-column="price"]' },
    { path: '/data/orders?tab=sources', until: 'article' },
    { path: '/data/orders?tab=quarantine', until: 'tr[data-line]' },
    { path: '/data/orders?tab=quarantine', until: 'tr[data-line]', look: openReplay },
    { path: `/trace/${trace}`, until: 'li[data-service="caudal-worker"]', look: openSpan },
    { path: '/sql?dataset=orders', until: 'textarea', look: runQuery },
    { path: '/invitation#x', until: 'h1' },
    { path: '/reset-password#x', until: 'form' },
  ];
}

/** Both schemes in both languages; contrast does not depend on the width, so that each width is seen in both as well. */
const VISITORS = [
  ['light', 'en-GB', 1280],
  ['dark', 'es-ES', 1280],
  ['light', 'es-ES', 390],
  ['dark', 'en-GB', 390],
] as const;

test('every page without violations of accessibility rules', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance();
  const browser = await startBrowser();
  const first = await openPage(t, browser, instance);
  await first.goto('/');
  await chooseFiles(first, writeOrders(instance.dir, 'orders.csv', 200, [50]));
  await fileLine(first, 'orders.csv', 'loaded').waitFor();
  const { items } = await instance.call<{ items: CaudalFile[] }>('GET', '/files');
  const trace = items[0]?.trace_id ?? '';

  for (const [scheme, locale, width] of VISITORS) {
    await t.test(`${scheme}, ${locale}, ${width} px`, async (t) => {
      const outside = await openPage(t, browser, instance, { scheme, locale, width, signedIn: false });
      await outside.goto('/');
      await outside.locator('form').waitFor();
      assert.deepEqual(await violations(outside), [], 'sign-in');
      const page = await openPage(t, browser, instance, { scheme, locale, width });
      for (const { path, until, look } of stops(trace)) {
        await page.goto('about:blank');
        await page.goto(path);
        await page.locator(until).first().waitFor();
        await look?.(page);
        assert.deepEqual(await violations(page), [], path);
        assert.equal(await page.locator('html').getAttribute('lang'), locale.slice(0, 2));
        assert.match(await page.title(), /^.+ · Caudal$/);
        const beyond = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        assert.ok(beyond <= 0, `${path} is ${beyond} px wider than the window`);
      }
    });
  }
});
