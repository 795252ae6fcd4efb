import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, type TestContext } from 'node:test';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { needsDatabase } from './database.ts';
import { findBrowser } from './find-browser.ts';
import type { Instance } from './instance.ts';

export const needsBrowser: string | false =
  needsDatabase || (findBrowser() ? false : 'no Chromium: install it (Debian: apt-get install chromium)');

/** Nothing of a person's profile, nothing that calls home. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Two cores that other tests use too. */
const PATIENCE_MS = 60_000;

/** One browser for a test file, with a profile of its own. */
export async function startBrowser(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ARGUMENTS });
  after(() => browser.close());
  return browser;
}

export interface PageOptions {
  scheme?: 'light' | 'dark';
  locale?: 'en-GB' | 'es-ES';
  width?: number;
  /** As the administrator unless this is false. */
  signedIn?: boolean;
  /** False: scripts do not run. */
  scripts?: boolean;
}

/** What a visitor would not see but a developer would be ashamed of: exceptions, and what the page's policy blocked. */
function collectProblems(page: Page): string[] {
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.stack ?? error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Warning:|Minified React error/.test(message.text())) problems.push(message.text());
  });
  return problems;
}

/** A page in a session of its own; the test fails when the page threw, or broke its content security policy. */
export async function openPage(
  t: TestContext,
  browser: Browser,
  { url, admin }: Instance,
  { scheme = 'light', locale = 'en-GB', width = 1280, signedIn = true, scripts = true }: PageOptions = {},
): Promise<Page> {
  const options: BrowserContextOptions = {
    baseURL: url,
    colorScheme: scheme,
    locale,
    timezoneId: 'UTC',
    viewport: { width, height: 800 },
    reducedMotion: 'reduce',
    javaScriptEnabled: scripts,
  };
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const problems = collectProblems(page);
  t.after(async () => {
    await context.close();
    assert.deepEqual(problems, []);
  });
  if (signedIn) {
    const { email, password } = admin;
    const answer = await context.request.post('/auth/login', { data: { email, password } });
    assert.equal(answer.status(), 200);
  }
  return page;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Each violation of WCAG A and AA and of axe's best practices, with where and why; none is an empty list. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults;
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`),
  );
}

export function chooseFiles(page: Page, files: string | string[]): Promise<void> {
  return page.getByLabel(/^(Drop files here|Suelta archivos)/).setInputFiles(files);
}

/** The line of a file in the table, in that state. */
export function fileLine(page: Page, filename: string, state: string) {
  return page.locator(`tr[data-file="${filename}"][data-state="${state}"]`);
}

/** The line of a file that is on its way. */
export function uploadLine(page: Page, filename: string, state?: string) {
  return page.locator(`tr[data-upload="${filename}"]${state === undefined ? '' : `[data-state="${state}"]`}`);
}
