import assert from 'node:assert/strict';
import test from 'node:test';
import fc from '../../../test/support/laws.ts';
import { attributes, escapeHtml, html } from './html.ts';

test('whatever text there is, it makes neither a tag nor ends an attribute, and comes back as it was', () => {
  const unescape = (text: string): string =>
    text
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&');
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', ';', 'a', 'ñ', '\ud800', '😀') }),
      (text) => {
        const escaped = escapeHtml(text);
        assert.doesNotMatch(escaped, /[<>"']/);
        assert.equal(unescape(escaped), text.toWellFormed());
      },
    ),
  );
});

test('a template escapes its values, keeps what is HTML already, and leaves out nothing', () => {
  const inner = html`<b>${'<i>'}</b>`;
  const rows = ['a', '&'].map((text) => html`<li>${text}</li>`);
  assert.equal(
    html`<p>${inner}${null}${undefined}${false}${0}${rows}</p>`.text,
    '<p><b>&lt;i&gt;</b>0<li>a</li><li>&amp;</li></p>',
  );
});

test('attributes: only those that have a value', () => {
  const given = { id: 'a"b', required: true, disabled: false, min: 0, max: undefined, title: null };
  assert.equal(attributes(given).text, ' id="a&quot;b" required min="0"');
});
