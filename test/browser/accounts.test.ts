import assert from 'node:assert/strict';
import test from 'node:test';
import { createLink, createSignInLink } from '#features/identity/one-time-links.ts';
import { operatorId } from '#features/identity/operator.ts';
import { systemClock } from '#kernel/clock.ts';
import { needsBrowser, openPage, startBrowser } from '../support/browser.ts';
import { startInstance } from '../support/instance.ts';

const SIGN_IN = { name: 'Sign in', exact: true } as const;
const ACCOUNT = /^Account of/;

test('accounts in the console', { skip: needsBrowser }, async (t) => {
  const instance = await startInstance();
  const browser = await startBrowser();
  const { db } = instance.database;
  const { email, password } = instance.admin;

  await t.test('a wrong password says so; the right one opens the files', async (t) => {
    const page = await openPage(t, browser, instance, { signedIn: false });
    await page.goto('/');
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('Wrong-password-1');
    await page.getByRole('button', SIGN_IN).click();
    await page.getByRole('alert').getByText('No account has this e-mail and password').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', SIGN_IN).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    assert.equal(await page.title(), 'Files · Caudal');
    await page.getByRole('button', { name: ACCOUNT }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });

  await t.test('an account is made; what is wrong with it stands beside the field', async (t) => {
    const page = await openPage(t, browser, instance, { signedIn: false });
    await page.goto('/');
    await page.getByRole('button', { name: 'New here? Create an account' }).click();
    await page.getByLabel('User name').fill('maria');
    await page.getByLabel('E-mail').fill('maria@example.com');
    await page.getByLabel('Password', { exact: true }).fill('weak');
    await page.getByLabel('Password again').fill('weak');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('The password needs a digit').waitFor();
    await page.getByLabel('Password', { exact: true }).fill('Strong-enough-1');
    await page.getByLabel('Password again').fill('Strong-enough-1');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    await page.getByText('No files yet').waitFor();
    await page.getByRole('button', { name: 'Account of maria' }).waitFor();
  });

  await t.test('a one-time link signs in once', async (t) => {
    const page = await openPage(t, browser, instance, { signedIn: false });
    const user = (await operatorId(db)) ?? '';
    const { path } = await createSignInLink(db, user, systemClock);
    await page.goto(path);
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/');
    const again = await page.goto(path);
    assert.equal(again?.status(), 410);
  });

  await t.test('a session that ends in the middle comes back to where one was', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/data');
    await page.getByText('No datasets yet').waitFor();
    await page.context().clearCookies();
    await page.getByText('Your session has ended').waitFor();
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', SIGN_IN).click();
    await page.getByRole('heading', { name: 'Data' }).waitFor();
    assert.equal(new URL(page.url()).pathname, '/data');
  });

  await t.test('the link of the reset mail sets a new password, once', async (t) => {
    const account = {
      username: 'olvido',
      email: 'olvido@example.com',
      password: 'Before-it-1',
      password_2: 'Before-it-1',
    };
    const { id } = await instance.call<{ id: string }>('POST', '/auth/signup', account);
    const { secret } = await createLink(db, id, 'password_reset', systemClock);
    const page = await openPage(t, browser, instance, { signedIn: false });
    await page.goto(`/reset-password#${secret}`);
    await page.getByLabel('New password').fill('After-it-22');
    await page.getByLabel('Password again').fill('Another-22');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.locator('[data-invalid="true"][name="password_2"]').waitFor();
    await page.getByLabel('Password again').fill('After-it-22');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByText('Your password is set').waitFor();
    await page.getByRole('link', SIGN_IN).click();
    await page.getByLabel('E-mail').fill(account.email);
    await page.getByLabel('Password', { exact: true }).fill('After-it-22');
    await page.getByRole('button', SIGN_IN).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    await page.goto('about:blank');
    await page.goto(`/reset-password#${secret}`);
    await page.getByLabel('New password').fill('Once-more-33');
    await page.getByLabel('Password again').fill('Once-more-33');
    await page.getByRole('button', { name: 'Set password' }).click();
    await page.getByRole('alert').getByText('The link was used already').waitFor();
  });

  await t.test('an invitation is accepted and leads into the other workspace', async (t) => {
    const guest = {
      username: 'invitada',
      email: 'invitada@example.com',
      password: 'Be-my-guest-1',
      password_2: 'Be-my-guest-1',
    };
    await instance.call('POST', '/auth/signup', guest);
    const me = await instance.call<{ workspace_id: string }>('GET', '/auth/me');
    const { secret } = await instance.call<{ secret: string }>('POST', `/workspaces/${me.workspace_id}/invitations`, {
      email: guest.email,
      role: 'viewer',
    });
    const page = await openPage(t, browser, instance, { signedIn: false });
    await page.goto(`/invitation#${secret}`);
    await page.getByLabel('E-mail').fill(guest.email);
    await page.getByLabel('Password', { exact: true }).fill(guest.password);
    await page.getByRole('button', SIGN_IN).click();
    await page.getByRole('button', { name: 'Accept the invitation' }).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    const now = await page.context().request.get('/auth/me');
    assert.equal((await now.json()).workspace_id, me.workspace_id);
  });

  await t.test('language and colours are as the browser wishes, and as one chooses from then on', async (t) => {
    const page = await openPage(t, browser, instance, { locale: 'es-ES', scheme: 'dark' });
    await page.goto('/');
    await page.getByRole('heading', { name: 'Archivos' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'es');
    assert.equal(await page.title(), 'Archivos · Caudal');
    await page.locator('html[data-mantine-color-scheme="dark"]').waitFor();
    await page.getByRole('button', { name: 'EN English' }).click();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    await page.getByRole('button', { name: 'Light colours' }).click();
    await page.locator('html[data-mantine-color-scheme="light"]').waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Files' }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    assert.equal(await page.locator('html').getAttribute('data-mantine-color-scheme'), 'light');
  });

  await t.test('the API reference is drawn under its policy', async (t) => {
    const page = await openPage(t, browser, instance);
    await page.goto('/docs');
    await page.getByText('Sign in with e-mail and password').first().waitFor();
    assert.equal((await page.request.get('/docs/nothing-of-that-name')).status(), 404);
  });
});
