import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectForeseen } from './foreseen.ts';
import { NAME, type Series, type SeriesRequest } from './series.ts';

const request = (name: string, from = 0): SeriesRequest => ({
  matchers: [{ label: NAME, op: '=', value: name }],
  from,
  to: 10,
});

/** A store that names every series it is asked for, and keeps the questions. */
function asked(refuse: (requests: readonly SeriesRequest[]) => boolean = () => false) {
  const questions: string[][] = [];
  const nameOf = ({ matchers }: SeriesRequest) => matchers[0]?.value ?? '';
  const select = async (requests: readonly SeriesRequest[]): Promise<Series[][]> => {
    questions.push(requests.map(nameOf));
    if (refuse(requests)) throw new Error('too many');
    return requests.map((each) => [{ labels: { [NAME]: nameOf(each), from: `${each.from}` }, times: [], values: [] }]);
  };
  const names = (answers: Series[][]) => answers.flat().map(({ labels }) => `${labels[NAME]}@${labels['from']}`);
  return { questions, select, names };
}

const never = () => assert.fail('nothing failed');

test('what many ask is asked once, each gets its own answer, and what was not foreseen is asked for', async () => {
  const { questions, select, names } = asked();
  const once = await selectForeseen(select, [request('a'), request('b'), request('a'), request('a', 5)], never);
  assert.deepEqual(names(await once([request('b'), request('a', 5)])), ['b@0', 'a@5']);
  assert.deepEqual(names(await once([request('a')])), ['a@0']);
  assert.deepEqual(questions, [['a', 'b', 'a']]);
  assert.deepEqual(names(await once([request('a'), request('c')])), ['a@0', 'c@0']);
  assert.deepEqual(questions.slice(1), [['a', 'c']]);
});

test('who asks for too much fails alone', async () => {
  const { questions, select, names } = asked((requests) => requests.some(({ matchers }) => matchers[0]?.value === 'b'));
  const failures: unknown[] = [];
  const once = await selectForeseen(select, [request('a'), request('b')], (error) => failures.push(error));
  assert.equal(failures.length, 1);
  assert.deepEqual(names(await once([request('a')])), ['a@0']);
  await assert.rejects(once([request('b')]), /too many/);
  assert.deepEqual(questions, [['a', 'b'], ['a'], ['b']]);
});

test('one question needs no other', async () => {
  const { questions, select } = asked();
  await selectForeseen(select, [request('a'), request('a')], never);
  assert.deepEqual(questions, []);
});
