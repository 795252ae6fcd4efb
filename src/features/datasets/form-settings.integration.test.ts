import assert from 'node:assert/strict';
import test from 'node:test';
import { needsDatabase, testDatabase } from '../../../test/support/database.ts';
import { testGateway } from '../../../test/support/http.ts';
import { newWorkspace } from '../../../test/support/lake.ts';
import { datasetRoutes } from './datasets.route.ts';

const COLUMNS = [
  { name: 'name', type: 'text', required: true },
  { name: 'id_photo', type: 'file', accept: ['image/*'] },
];

test('the form of a dataset, as its owner sets it', { skip: needsDatabase }, async (t) => {
  const { db } = await testDatabase();
  const { call, grant } = await testGateway(db, async (app) => void (await app.register(datasetRoutes({ db }))));
  grant(await newWorkspace(db));
  const theirs = grant(await newWorkspace(db));

  await t.test('comes with the dataset, is replaced and taken away; none of it is a version', async () => {
    const title = { en: 'People', es: 'Gente' };
    const made = await call('POST', '/datasets', { name: 'people', columns: COLUMNS, form: { public: true, title } });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    assert.deepEqual(made.body.form, { public: true, title, slug: 'people', url: '/forms/people' });
    const form = { slug: 'gente', labels: { name: 'Nombre' } };
    const changed = await call('PATCH', '/datasets/people', { form });
    assert.deepEqual(changed.body.form, { ...form, public: false, url: '/forms/gente' });
    const renamed = await call('PATCH', '/datasets/people', { rename_columns: { name: 'full_name' } });
    assert.deepEqual(renamed.body.form.labels, { full_name: 'Nombre' });
    assert.equal(renamed.body.version, 1);
    const none = await call('PATCH', '/datasets/people', { form: null });
    assert.deepEqual([none.body.form, none.body.version], [undefined, 1]);
    assert.equal((await call('GET', '/datasets/people')).body.form, undefined);
  });

  await t.test(
    'its address is one in the installation, whatever the case; a deleted dataset gives it back',
    async () => {
      const body = { columns: COLUMNS, form: { slug: 'Registry' } };
      assert.equal((await call('POST', '/datasets', { name: 'a', ...body })).status, 201);
      const taken = await call(
        'POST',
        '/datasets',
        { name: 'b', columns: COLUMNS, form: { slug: 'registry' } },
        theirs,
      );
      assert.deepEqual(
        [taken.status, taken.body.code, taken.body.errors[0].field],
        [409, 'form_slug_taken', 'form.slug'],
      );
      assert.equal((await call('GET', '/datasets/b', undefined, theirs)).status, 404, 'nothing was made');
      assert.equal((await call('DELETE', '/datasets/a')).status, 204);
      assert.equal((await call('POST', '/datasets', { name: 'b', ...body }, theirs)).status, 201);
    },
  );

  await t.test('what cannot be shown is refused', async () => {
    const refused: [body: object, field: string][] = [
      [{ form: {} }, 'form'],
      [{ columns: COLUMNS, form: { labels: { nothing: 'x' } } }, 'form.labels.nothing'],
      [{ columns: COLUMNS, form: { slug: 'a/b' } }, 'form.slug'],
      [{ columns: COLUMNS, form: { title: '' } }, 'form.title'],
      [{ columns: COLUMNS, form: { colour: 'red' } }, 'form.colour'],
      [{ columns: [{ name: ':token', type: 'text' }], form: {} }, 'columns'],
      [{ columns: [{ name: 'pdf', type: 'file', accept: ['application/pdf'] }] }, 'columns.0.accept'],
    ];
    for (const [body, field] of refused) {
      const { status, body: problem } = await call('POST', '/datasets', { name: 'refused', ...body });
      assert.equal(status, 422, JSON.stringify(body));
      assert.equal(problem.errors[0].field, field, JSON.stringify(problem));
    }
  });
});
