import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { openPage, violations } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { H264, makeVideo, picture, tone } from '../support/ffmpeg.ts';
import type { Instance } from '../support/instance.ts';

/** What the instance needs: an address that stands for a public host, and an encoder in a hurry. */
export const VIDEO_SETTINGS = { CAUDAL_FETCH_ALLOW_PRIVATE: '127.9.9.7/32', CAUDAL_VIDEO_PRESET: 'ultrafast' };

/** For what workers do; only what never comes fails. */
const LONG = { timeout: 120_000 };

/** Videos in the console, on an instance that other tests use as well. */
export async function videosInTheConsole(t: TestContext, browser: Browser, instance: Instance): Promise<void> {
  const path = await makeVideo(join(instance.dir, 'river.mp4'), [
    ...picture(6, { size: '128x72', rate: '10' }),
    ...tone(6),
    ...[...H264, '-c:a', 'aac'],
  ]);
  const host = await serve(t, readFileSync(path));
  const line = (page: Page, name: string, status?: string) =>
    page.locator(`tr[data-video="${name}"]${status === undefined ? '' : `[data-status="${status}"]`}`).first();

  await t.test('sent from this machine with parameters, it becomes clips that play', async (t) => {
    const page = await openPage(t, browser, instance);
    const ranges: number[] = [];
    page.on('response', async (response) => {
      if (response.request().resourceType() === 'media') ranges.push(response.status());
    });
    await page.goto('/videos');
    await page.getByText('No videos yet').waitFor();
    await page.getByText('Parameters').click();
    await page.getByLabel('Longest clip (seconds)').fill('4');
    await page.getByRole('combobox', { name: 'Height (pixels)' }).click();
    await page.getByRole('option', { name: '360' }).click();
    await page.getByLabel(/^Drop a video here/).setInputFiles(path);
    await line(page, 'river.mp4', 'succeeded').waitFor(LONG);
    await line(page, 'river.mp4', 'succeeded').getByRole('link').click();
    await page.getByRole('heading', { name: 'river.mp4' }).waitFor();
    const video = page.locator('video');
    assert.match((await video.getAttribute('poster')) ?? '', /^\/files\/.+\/content$/);
    assert.equal(await page.locator('.clips li').count(), 2);
    // Two pictures, four seconds apart: the second begins the second clip, after its second of logo.
    const stills = page.locator('.still');
    assert.equal(await stills.count(), 2);
    await stills.nth(1).click();
    const plays =
      '(({ videoHeight, currentTime }) => videoHeight === 360 && currentTime > 1)(document.querySelector("video"))';
    await eventually(async () => (await page.evaluate<boolean>(plays)) || undefined, 60_000);
    await page.locator('[data-clip="2"] button[aria-current="true"]').waitFor();
    assert.ok(ranges.includes(206), ranges.join(' '));
    await page.locator('tr[data-step="transcode"]').getByRole('link', { name: 'Trace' }).waitFor();
    assert.deepEqual(await violations(page), []);
  });

  await t.test('by its address: refused, failed, followed, cancelled, run again', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/videos');
    const submit = async (url: string) => {
      await page.getByLabel('Address of a video').fill(url);
      await page.getByRole('button', { name: 'Make clips' }).click();
    };
    await submit('http://127.0.0.1/private.mp4');
    await page.getByRole('alert').getByText('not on the public internet').waitFor();
    await submit(`${host}/page.mp4`);
    await line(page, 'page.mp4', 'failed').getByText('not a video').first().waitFor(LONG);
    await submit(`${host}/endless.mp4`);
    await line(page, 'endless.mp4', 'running').waitFor(LONG);
    await line(page, 'endless.mp4', 'running').getByRole('link').click();
    await page.getByText(/ % · Download/).waitFor();
    const first = page.url();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('nothing of it was kept').waitFor(LONG);
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.waitForURL((url) => url.pathname.startsWith('/videos/') && url.href !== first);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('nothing of it was kept').waitFor(LONG);
  });

  await t.test('on a phone, in Spanish, without violations', async (t) => {
    const page = await openPage(t, browser, instance, { locale: 'es-ES', width: 390, scheme: 'dark' });
    await page.goto('/videos');
    await line(page, 'page.mp4', 'failed').getByText('El archivo no es un vídeo').waitFor();
    await page.getByText('Parámetros').click();
    assert.deepEqual(await violations(page), []);
    const beyond = () => page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
    assert.ok((await beyond()) <= 0);
    await line(page, 'river.mp4', 'succeeded').getByRole('link').click();
    await page.locator('video').waitFor();
    await page.getByText('Cómo se hizo').waitFor();
    assert.deepEqual(await violations(page), []);
    assert.ok((await beyond()) <= 0);
  });
}

/** A server of somebody's. */
async function serve(t: TestContext, video: Buffer): Promise<string> {
  const server = http.createServer((request, response) => {
    if (request.url === '/page.mp4') response.end('<!DOCTYPE html><title>404</title>');
    // Announced, and never sent.
    else response.writeHead(200, { 'content-length': 2 * video.length }).write(video);
  });
  server.listen(0, '127.9.9.7');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.9.9.7:${(server.address() as AddressInfo).port}`;
}
