import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseFiles, fileLine, needsBrowser, openPage, startBrowser } from '../support/browser.ts';
import { needsFfmpeg } from '../support/ffmpeg.ts';
import { startInstance } from '../support/instance.ts';
import { writeOrders } from '../support/orders.ts';
import { VIDEO_SETTINGS, videosInTheConsole } from './videos.ts';

test('traces and videos in the console', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance(VIDEO_SETTINGS);
  const browser = await startBrowser();
  const page = await openPage(t, browser, instance);
  await page.goto('/');
  await chooseFiles(page, writeOrders(instance.dir, 'orders.csv', 400, [100]));
  await fileLine(page, 'orders.csv', 'loaded').waitFor();

  await t.test('one trace id holds the browser, the gateway and the worker, parent above child', async () => {
    await page.getByRole('button', { name: 'Actions for orders.csv' }).click();
    await page.getByRole('menuitem', { name: 'Trace' }).click();
    for (const service of ['caudal-browser', 'caudal-api', 'caudal-worker']) {
      await page.locator(`li[data-service="${service}"]`).first().waitFor();
    }
    const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    assert.match(id, /^[0-9a-f]{32}$/);
    await page.getByText('3 processes').waitFor();
    const line = (name: string) => page.locator(`li[data-span="${name}"]`).first();
    const places = new Map<string, number>();
    for (const name of ['upload', 'begin upload', 'POST /uploads', 'process load', 'commit']) {
      places.set(name, (await line(name).boundingBox())?.y ?? 0);
    }
    assert.deepEqual(
      [...places.keys()],
      [...places].sort((a, b) => a[1] - b[1]).map(([name]) => name),
    );
  });

  await t.test('branches fold, spans open, database calls are shown when asked for', async () => {
    const spans = page.locator('ul.trace > li');
    const all = await spans.count();
    await page.getByRole('button', { name: /spans? below upload$/ }).click();
    await page.getByText(/caudal-browser · \+\d+/).waitFor();
    assert.ok((await spans.count()) < all);
    await page.getByRole('button', { name: /spans? below upload$/ }).click();
    await page.getByRole('button', { name: /^process load/ }).click();
    await page.locator('li[data-span="process load"]').getByText('caudal.task', { exact: false }).first().waitFor();
    await page.getByRole('switch', { name: /^Show \d+ database calls$/ }).click();
    await page.locator('li[data-span="COMMIT"]').first().waitFor();
  });

  await t.test('a quarantined record leads to the trace that brought it', async () => {
    await page.goto('/data/orders?tab=quarantine');
    await page.locator('tr[data-line]').getByRole('link', { name: 'Trace' }).click();
    await page.locator('li[data-span="process load"]').waitFor();
  });

  await t.test('an error carries its trace, and a trace that is not there says so', async () => {
    await page.goto('/data/nothing_here');
    await page.getByRole('alert').getByText('There is no dataset "nothing_here"').waitFor();
    await page.getByRole('alert').getByRole('link', { name: 'Trace' }).click();
    await page.locator('li[data-span="GET /datasets/:name"]').first().waitFor();
  });

  await t.test('videos', { skip: needsFfmpeg }, (t) => videosInTheConsole(t, browser, instance));
});
