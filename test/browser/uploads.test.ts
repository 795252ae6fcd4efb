import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { Page } from 'playwright-core';
import type { File as CaudalFile } from '#contract/files.ts';
import type { UploadStatus } from '#contract/uploads.ts';
import { writeSample } from '../../src/cli/demo/sample.ts';
import { chooseFiles, fileLine, needsBrowser, openPage, startBrowser, uploadLine } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { startInstance } from '../support/instance.ts';
import { writeOrders } from '../support/orders.ts';

/** Three parts. */
const LARGE_BYTES = 20_000_000;

/** A slow line upwards, so that there is time to look at an upload; undefined: as fast as it goes. */
async function throttle(page: Page, bytesPerSecond?: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond ?? -1,
  });
}

test('uploads in the console', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance();
  const browser = await startBrowser();
  const large = join(instance.dir, 'reviews.csv');
  const sample = await writeSample(large, LARGE_BYTES);
  const files = () => instance.call<{ items: CaudalFile[] }>('GET', '/files?limit=100');
  const find = async (filename: string) => (await files()).items.find((file) => file.filename === filename);

  await t.test('several files arrive and are loaded, each a table; one that cannot be read says why', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/');
    await page.getByText('No files yet').waitFor();
    const legacy = join(instance.dir, 'codes.xls');
    // The first bytes of every OLE2 document, as Excel 97–2003 wrote them, and a workbook's stream name.
    const ole = Buffer.concat([
      Buffer.from('d0cf11e0a1b11ae1', 'hex'),
      Buffer.alloc(504),
      Buffer.from('Workbook', 'utf16le'),
    ]);
    writeFileSync(legacy, Buffer.concat([ole, Buffer.alloc(4096)]));
    await chooseFiles(page, [
      writeOrders(instance.dir, 'orders_a.csv', 300),
      writeOrders(instance.dir, 'orders_b.csv', 500, [17, 300]),
      legacy,
    ]);
    await fileLine(page, 'orders_a.csv', 'loaded').getByText('300', { exact: true }).waitFor();
    const second = fileLine(page, 'orders_b.csv', 'loaded');
    await second.getByText('498', { exact: true }).waitFor();
    await second.getByRole('link', { name: '2 rows in quarantine' }).waitFor();
    const failed = fileLine(page, 'codes.xls', 'failed');
    await failed.getByText('.xls').first().waitFor();
    await failed.getByText('save it as .xlsx or .csv').waitFor();
    await page.getByRole('button', { name: 'Español' }).click();
    await failed.getByText('Los libros .xls antiguos no se admiten').waitFor();
  });

  await t.test('files go into the dataset that was named', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/');
    await page.getByLabel('Into dataset').fill('not a name!');
    await page.getByText('Letters, digits').waitFor();
    await page.getByLabel('Into dataset').fill('todos');
    await chooseFiles(page, [writeOrders(instance.dir, 'uno.csv', 100), writeOrders(instance.dir, 'dos.csv', 50)]);
    await fileLine(page, 'uno.csv', 'loaded').waitFor();
    await fileLine(page, 'dos.csv', 'loaded').getByRole('link', { name: 'todos' }).click();
    await page.getByRole('heading', { name: 'todos' }).waitFor();
    await page.getByText('150 rows ·').waitFor();
  });

  await t.test('paused, it stands still; resumed, it ends whole', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/');
    await fileLine(page, 'orders_a.csv', 'loaded').waitFor();
    await throttle(page, 2_000_000);
    await chooseFiles(page, large);
    const line = uploadLine(page, 'reviews.csv');
    await line.getByText(/· [1-9]\d? %/).waitFor();
    await line.getByRole('button', { name: 'Pause: reviews.csv' }).click();
    await uploadLine(page, 'reviews.csv', 'paused').waitFor();
    assert.equal((await find('reviews.csv'))?.state, 'pending');
    await throttle(page);
    await page.getByRole('button', { name: 'Resume: reviews.csv' }).click();
    await fileLine(page, 'reviews.csv', 'loaded').waitFor();
    const file = await find('reviews.csv');
    assert.deepEqual([file?.rows, file?.quarantined], [sample.rows, sample.bad]);
  });

  await t.test('loaded anew, the page goes on where it was once the file is chosen again', async (t) => {
    const again = join(instance.dir, 'again.csv');
    await writeSample(again, LARGE_BYTES, 7);
    const page = await openPage(t, browser, instance);
    page.on('dialog', (dialog) => dialog.accept());
    await page.goto('/');
    await fileLine(page, 'reviews.csv', 'loaded').waitFor();
    await throttle(page, 4_000_000);
    await chooseFiles(page, again);
    await uploadLine(page, 'again.csv', 'uploading').waitFor();
    const kept = await eventually(async () => {
      const stored = await page.evaluate<Record<string, string>>('({ ...localStorage })');
      const uploads = Object.entries(stored).filter(([key]) => key.startsWith('caudal.uploads'));
      const entries = uploads.flatMap(([, value]) => JSON.parse(value) as { name: string; upload_id: string }[]);
      return entries.find(({ name }) => name === 'again.csv');
    });
    const status = await eventually(async () => {
      const found = await instance.call<UploadStatus>('GET', `/uploads/${kept.upload_id}`);
      return found.parts.length > 0 ? found : undefined;
    }, 60_000);
    await page.reload();
    const line = uploadLine(page, 'again.csv', 'lost');
    await line.getByText('Choose the same file again').waitFor();
    const puts: string[] = [];
    page.on('request', (request) => request.method() === 'PUT' && puts.push(request.url()));
    await throttle(page);
    const chooser = page.waitForEvent('filechooser');
    await line.getByRole('button', { name: 'Choose file' }).click();
    await (await chooser).setFiles(large);
    await line.getByText('That is another file').waitFor();
    const right = page.waitForEvent('filechooser');
    await line.getByRole('button', { name: 'Choose file' }).click();
    await (await right).setFiles(again);
    await fileLine(page, 'again.csv', 'loaded').waitFor();
    assert.ok(puts.length <= status.part_count - status.parts.length, `${puts.length} parts were sent again`);
    assert.equal((await files()).items.filter(({ filename }) => filename === 'again.csv').length, 1);
  });

  await t.test('cancelled, it leaves nothing', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/');
    await fileLine(page, 'orders_a.csv', 'loaded').waitFor();
    await throttle(page, 1_000_000);
    const gone = join(instance.dir, 'gone.csv');
    await writeSample(gone, LARGE_BYTES, 8);
    await chooseFiles(page, gone);
    await uploadLine(page, 'gone.csv')
      .getByText(/· [1-9]\d? %/)
      .waitFor();
    await page.getByRole('button', { name: 'Cancel: gone.csv' }).click();
    await uploadLine(page, 'gone.csv').waitFor({ state: 'detached' });
    await eventually(async () => ((await find('gone.csv')) ? undefined : true));
  });

  await t.test('deleted, a file takes its rows along', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/');
    await page.getByRole('button', { name: 'Actions for dos.csv' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('cannot be undone').waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await fileLine(page, 'dos.csv', 'loaded').waitFor({ state: 'detached' });
    await eventually(async () => {
      const { rows } = await instance.call<{ rows: number }>('GET', '/datasets/todos');
      return rows === 100 ? true : undefined;
    });
  });
});
