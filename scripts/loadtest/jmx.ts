import { DATASET, filled, type LoadStep, PLAN } from './plan.ts';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const text = (name: string, value: string): string => `<stringProp name="${name}">${escape(value)}</stringProp>`;
const flag = (name: string, value: boolean): string => `<boolProp name="${name}">${value}</boolProp>`;
const property = (name: string, fallback: string): string => `\${__P(${name},${fallback})}`;

interface Element {
  tag: string;
  gui: string;
  name: string;
  props: string[];
  children?: Element[];
}

/** An element and the hashTree that holds its children: JMeter's files are a list of such pairs. */
function render({ tag, gui, name, props, children = [] }: Element, depth: number): string {
  const pad = '  '.repeat(depth);
  const open = `${pad}<${tag} guiclass="${gui}" testclass="${tag}" testname="${escape(name)}" enabled="true">`;
  const inner = props.map((prop) => `${pad}  ${prop}\n`).join('');
  const tree = children.map((child) => render(child, depth + 1)).join('');
  const hashTree = tree ? `${pad}<hashTree>\n${tree}${pad}</hashTree>` : `${pad}<hashTree/>`;
  return `${open}\n${inner}${pad}</${tag}>\n${hashTree}\n`;
}

function sampler(step: LoadStep): Element {
  const { path, body } = filled(step, property('dataset', DATASET));
  const argument = body
    ? `<elementProp name="" elementType="HTTPArgument">${flag('HTTPArgument.always_encode', false)}${text('Argument.value', body)}${text('Argument.metadata', '=')}</elementProp>`
    : '';
  return {
    tag: 'HTTPSamplerProxy',
    gui: 'HttpTestSampleGui',
    name: step.name,
    props: [
      flag('HTTPSampler.postBodyRaw', body !== undefined),
      `<elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments">${argument}</collectionProp></elementProp>`,
      text('HTTPSampler.path', path),
      text('HTTPSampler.method', step.method),
      flag('HTTPSampler.use_keepalive', true),
    ],
    children: [
      {
        tag: 'ResponseAssertion',
        gui: 'AssertionGui',
        name: `answers ${step.status}`,
        props: [
          `<collectionProp name="Asserion.test_strings">${text('0', String(step.status))}</collectionProp>`,
          text('Assertion.test_field', 'Assertion.response_code'),
          '<intProp name="Assertion.test_type">8</intProp>',
        ],
      },
    ],
  };
}

const header = (name: string, value: string): string =>
  `<elementProp name="" elementType="Header">${text('Header.name', name)}${text('Header.value', value)}</elementProp>`;

/**
 * The load test for JMeter 5: the plan's requests in turn, by `-Jthreads` threads, `-Jloops` times each. Bounded by its
 * loops; the host is loopback unless somebody writes another one into the file.
 */
export function jmxPlan(): string {
  const threads: Element = {
    tag: 'ThreadGroup',
    gui: 'ThreadGroupGui',
    name: 'Clients',
    props: [
      text('ThreadGroup.on_sample_error', 'continue'),
      `<elementProp name="ThreadGroup.main_controller" elementType="LoopController" guiclass="LoopControlPanel" testclass="LoopController" testname="Loop" enabled="true">${flag('LoopController.continue_forever', false)}${text('LoopController.loops', property('loops', '50'))}</elementProp>`,
      text('ThreadGroup.num_threads', property('threads', '10')),
      text('ThreadGroup.ramp_time', '2'),
    ],
    children: PLAN.map(sampler),
  };
  const plan: Element = {
    tag: 'TestPlan',
    gui: 'TestPlanGui',
    name: 'Caudal',
    props: [
      text('TestPlan.comments', 'Made by scripts/docs.ts from scripts/loadtest/plan.ts.'),
      '<elementProp name="TestPlan.user_defined_variables" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>',
    ],
    children: [
      {
        tag: 'ConfigTestElement',
        gui: 'HttpDefaultsGui',
        name: 'The gateway',
        props: [
          '<elementProp name="HTTPsampler.Arguments" elementType="Arguments"><collectionProp name="Arguments.arguments"/></elementProp>',
          text('HTTPSampler.protocol', 'http'),
          text('HTTPSampler.domain', '127.0.0.1'),
          text('HTTPSampler.port', property('port', '5050')),
          text('HTTPSampler.contentEncoding', 'UTF-8'),
          text('HTTPSampler.connect_timeout', '5000'),
          text('HTTPSampler.response_timeout', '30000'),
        ],
      },
      {
        tag: 'HeaderManager',
        gui: 'HeaderPanel',
        name: 'Token',
        props: [
          `<collectionProp name="HeaderManager.headers">${header('Authorization', `Bearer ${property('token', '')}`)}${header('Content-Type', 'application/json')}</collectionProp>`,
        ],
      },
      threads,
    ],
  };
  return `<?xml version="1.0" encoding="UTF-8"?>\n<jmeterTestPlan version="1.2" properties="5.0" jmeter="5.6">\n  <hashTree>\n${render(plan, 2)}  </hashTree>\n</jmeterTestPlan>\n`;
}
