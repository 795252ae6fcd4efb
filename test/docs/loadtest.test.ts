import assert from 'node:assert/strict';
import test from 'node:test';
import { SaxesParser } from 'saxes';
import { jmxPlan } from '../../scripts/loadtest/jmx.ts';
import { onlyLoopback, PLAN } from '../../scripts/loadtest/plan.ts';
import { loadReport } from '../../scripts/loadtest/report.ts';

interface Node {
  name: string;
  attributes: Record<string, string>;
  children: Node[];
  text: string;
}

function parse(xml: string): Node {
  const root: Node = { name: '', attributes: {}, children: [], text: '' };
  const stack = [root];
  const parser = new SaxesParser();
  parser.on('opentag', ({ name, attributes }) => {
    const node = { name, attributes: attributes as Record<string, string>, children: [], text: '' };
    stack.at(-1)?.children.push(node);
    stack.push(node);
  });
  parser.on('text', (text) => {
    const node = stack.at(-1);
    if (node) node.text += text;
  });
  parser.on('closetag', () => stack.pop());
  parser.on('error', (error) => {
    throw error;
  });
  parser.write(xml).close();
  return root.children[0] as Node;
}

const property = (node: Node, name: string): string | undefined =>
  node.children.find((child) => child.attributes['name'] === name)?.text;

/** JMeter reads pairs: an element, then the hashTree with what belongs under it. */
function pairs(tree: Node): { element: Node; below: Node }[] {
  assert.equal(tree.name, 'hashTree');
  assert.equal(tree.children.length % 2, 0, 'elements and hashTrees alternate');
  return Array.from({ length: tree.children.length / 2 }, (_, at) => {
    const [element, below] = tree.children.slice(2 * at, 2 * at + 2) as [Node, Node];
    assert.equal(below.name, 'hashTree');
    assert.equal(element.attributes['testclass'], element.name);
    assert.ok(
      element.attributes['guiclass'] && element.attributes['testname'] && element.attributes['enabled'] === 'true',
    );
    return { element, below };
  });
}

test('the JMeter plan is one that JMeter 5 reads: a plan with defaults, token and threads, each request with its assertion', () => {
  const root = parse(jmxPlan());
  assert.deepEqual([root.name, root.attributes['version']], ['jmeterTestPlan', '1.2']);
  const [plan] = pairs(root.children[0] as Node);
  assert.equal(plan?.element.name, 'TestPlan');
  const parts = pairs(plan?.below as Node);
  assert.deepEqual(
    parts.map(({ element }) => element.name),
    ['ConfigTestElement', 'HeaderManager', 'ThreadGroup'],
  );
  const [defaults, , threads] = parts;
  assert.equal(property(defaults?.element as Node, 'HTTPSampler.domain'), '127.0.0.1');
  const samplers = pairs(threads?.below as Node);
  assert.deepEqual(
    samplers.map(({ element }) => [element.attributes['testname'], property(element, 'HTTPSampler.method')]),
    PLAN.map(({ name, method }) => [name, method]),
  );
  for (const { below } of samplers)
    assert.deepEqual(
      pairs(below).map(({ element }) => element.name),
      ['ResponseAssertion'],
    );
});

test('load goes to this machine only', () => {
  for (const url of ['http://127.0.0.1:5050', 'http://127.8.8.8', 'http://localhost:1', 'http://[::1]:5050'])
    onlyLoopback(url);
  for (const url of ['http://10.0.0.1', 'http://example.com', 'http://127.0.0.1.example.com', 'http://[::2]']) {
    assert.throws(() => onlyLoopback(url), /is not this machine/);
  }
});

test('the report has every request with its percentiles, in Markdown, HTML and a chart', () => {
  const step = {
    call: 'GET /x?a=1&b=2',
    requests: 10,
    per_second: 2.5,
    p50: 1,
    p90: 2,
    p975: 3,
    p99: 4,
    max: 50,
    limited: 1,
    failed: 0,
  };
  const { markdown, html, svg } = loadReport(
    [
      { name: 'A & <B>', ...step },
      { name: 'zero', ...step, p50: 0 },
    ],
    'About.',
  );
  assert.match(markdown, /^\| A & <B> \| 10 \| 3 \| 1 ms \| 2 ms \| 3 ms \| 4 ms \| 50 ms \| 1 \| 0 \|$/m);
  assert.match(html, /<td>A &amp; &lt;B&gt;<\/td>/);
  assert.ok(html.includes(svg) && svg.startsWith('<svg') && svg.includes('p99'));
});
