import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseFiles, fileLine, needsBrowser, openPage, startBrowser } from '../support/browser.ts';
import { startInstance } from '../support/instance.ts';
import { writeOrders } from '../support/orders.ts';

const ROWS = 12_000;
const BROKEN = [500, 7_000];

test('a dataset in the console', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance();
  const browser = await startBrowser();
  const page = await openPage(t, browser, instance);
  await page.goto('/');
  await chooseFiles(page, writeOrders(instance.dir, 'orders.csv', ROWS, BROKEN));
  await fileLine(page, 'orders.csv', 'loaded').waitFor();
  const good = ROWS - BROKEN.length;
  const grid = page.getByRole('grid');

  await t.test('it is listed with its size and leads to its rows', async () => {
    await page.getByRole('link', { name: 'Data', exact: true }).click();
    await page.getByRole('heading', { name: 'Data' }).waitFor();
    await page
      .getByRole('row', { name: /^orders/ })
      .getByText('11,998')
      .waitFor();
    await page.getByRole('link', { name: 'orders', exact: true }).click();
    await page.getByText('11,998 rows · 8 columns').waitFor();
  });

  await t.test('rows come as one scrolls, and only what is seen is in the document', async () => {
    await grid.locator('[data-row="0"]').getByText('2025-01-01 00:07:00').waitFor();
    assert.equal(await grid.getAttribute('aria-rowcount'), String(good + 1));
    await grid.focus();
    await page.keyboard.press('End');
    await grid
      .locator(`[data-row="${good - 1}"]`)
      .getByText(String(ROWS), { exact: true })
      .waitFor();
    await page.getByText('11,998 of 11,998 rows fetched').waitFor();
    assert.ok((await grid.locator('.grid-row').count()) < 60);
  });

  await t.test('a row is shown in full with file, line and trace; by keyboard alone', async () => {
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('heading', { name: 'Row 2' }).waitFor();
    await dialog.getByText(/^orders\.csv · line [2-5]$/).waitFor();
    await dialog.getByRole('link', { name: 'Trace' }).waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.locator('[role="grid"]:focus').waitFor();
  });

  await t.test('headers sort, and the order is in the address', async () => {
    await page.getByRole('button', { name: /^order_id/ }).click();
    await page.waitForURL(/order=order_id/);
    await page.getByRole('button', { name: /^order_id/ }).click();
    await page.waitForURL(/order=-order_id/);
    await grid.locator('[data-row="0"]').getByText(String(ROWS), { exact: true }).waitFor();
    await page.reload();
    await grid.locator('[data-row="0"]').getByText(String(ROWS), { exact: true }).waitFor();
  });

  await t.test('the schema shows types and what the columns hold', async () => {
    await page.getByRole('tab', { name: 'Schema' }).click();
    const line = (column: string) => page.locator(`tr[data-column="${column}"]`);
    await line('ordered_at').getByText('timestamp').waitFor();
    await line('delivered').getByText('boolean').waitFor();
    await line('city').getByText('8', { exact: true }).waitFor();
    await line('quantity').getByText('1 – 12').waitFor();
    assert.equal((await line('quantity').locator('svg rect').count()) > 1, true);
  });

  await t.test('sources balance', async () => {
    await page.getByRole('tab', { name: 'Sources' }).click();
    const source = page.getByRole('article');
    await source.getByText('orders.csv').waitFor();
    await source.getByText('balanced').waitFor();
    await source.getByText('12,000').waitFor();
    await source.getByText('How it was read').click();
    await source.getByText('utf-8').waitFor();
  });

  await t.test('quarantined records are mended and replayed', async () => {
    await page.getByRole('tab', { name: /Quarantine/ }).click();
    const first = page.locator('tr[data-line]').first();
    await first.getByText('too_few_fields').waitFor();
    await page.getByRole('button', { name: 'Replay all 2' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Compute a column').selectOption('price');
    await dialog.getByLabel('By this SQL expression').fill('nonsense(');
    await dialog.getByRole('button', { name: 'Replay', exact: true }).click();
    await dialog.getByText('could not be parsed').waitFor();
    await dialog.getByLabel('By this SQL expression').fill("'0'");
    await dialog.getByRole('button', { name: 'Replay', exact: true }).click();
    await dialog.getByText('2 accepted, 0 still in quarantine').waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await page.getByText('12,000 rows ·').waitFor();
    await page.getByText('Nothing in quarantine').waitFor();
    await page.getByText('Replayed', { exact: true }).click();
    await page.locator('tr[data-line]').nth(1).waitFor();
  });

  await t.test('SQL runs, says where it is wrong, and exports', async () => {
    await page.getByRole('link', { name: 'Query' }).click();
    const query = page.getByLabel('Query');
    await query.fill('SELECT city, count(*) AS n\nFROM orders\nGROUP BY ALL ORDER BY city');
    await query.press('Control+Enter');
    await page.getByText(/^8 rows · /).waitFor();
    await page.getByRole('grid', { name: 'Result' }).getByText('Bogotá').waitFor();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export CSV' }).click();
    assert.equal((await saved).suggestedFilename(), 'result.csv');
    await query.fill("SELECT 'ñandú',\n  citi\nFROM orders");
    await page.getByRole('button', { name: 'Run' }).click();
    await page.getByRole('alert').getByText('Line 2, column 3').waitFor();
    assert.equal(await page.evaluate('document.activeElement.selectionStart'), 18);
  });
});
