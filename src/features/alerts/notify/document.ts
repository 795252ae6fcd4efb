/** A short letter in parts, drawn as plain text and as HTML that mail programs show alike. */
export interface Letter {
  tone: 'bad' | 'warning' | 'good' | 'plain';
  /** The line in the band at the top. */
  kicker: string;
  title: string;
  lead: string;
  parts: Part[];
  link?: { label: string; url: string };
  footer: string;
}

export type Part =
  | { kind: 'facts'; facts: [name: string, value: string][] }
  | { kind: 'text'; heading: string; text: string }
  | { kind: 'lines'; heading: string; lines: string[] }
  | { kind: 'table'; heading: string; columns: string[]; rows: string[][]; note?: string };

const WIDTH = 78;

export function letterText(letter: Letter): string {
  const blocks = [`${letter.kicker.toUpperCase()}\n${letter.title}`, wrapped(letter.lead)];
  for (const part of letter.parts) blocks.push(partText(part));
  if (letter.link) blocks.push(`${letter.link.label}:\n${letter.link.url}`);
  blocks.push(`-- \n${letter.footer}`);
  return `${blocks.filter(Boolean).join('\n\n')}\n`;
}

function partText(part: Part): string {
  if (part.kind === 'facts') {
    const width = Math.max(...part.facts.map(([name]) => name.length));
    return part.facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  }
  if (part.kind === 'text') return `${part.heading}\n${wrapped(part.text)}`;
  if (part.kind === 'lines') return `${part.heading}\n${part.lines.map((line) => `  ${line}`).join('\n')}`;
  const all = [part.columns, ...part.rows];
  const widths = part.columns.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const lines = all.map(
    (row) =>
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}`,
  );
  return [part.heading, ...lines, ...(part.note ? [part.note] : [])].join('\n');
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

const TONES = {
  bad: { band: '#b3261e', soft: '#fdecea' },
  warning: { band: '#8a5300', soft: '#fff4e0' },
  good: { band: '#1a6b3c', soft: '#e8f5ed' },
  plain: { band: '#2f4858', soft: '#eef2f5' },
} as const;
const SANS = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";

/** Tables and inline styles: mail programs know little else. Every text is escaped here and nowhere else. */
export function letterHtml(letter: Letter, language: string): string {
  const { band, soft } = TONES[letter.tone];
  const link = letter.link
    ? `<p style="margin:28px 0 4px"><a href="${escape(letter.link.url)}" style="display:inline-block;background:${band};color:#ffffff;text-decoration:none;font-weight:600;padding:11px 20px;border-radius:6px">${escape(letter.link.label)}</a></p>`
    : '';
  return `<!doctype html>
<html lang="${language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(letter.title)}</title></head>
<body style="margin:0;padding:24px 12px;background:#eef0f2;color:#1c2328;${SANS};font-size:15px;line-height:1.5">
<table role="presentation" cellpadding="0" cellspacing="0" align="center" style="width:100%;max-width:640px;border-collapse:separate;border-radius:10px;overflow:hidden;background:#ffffff">
<tr><td style="background:${band};color:#ffffff;padding:18px 28px">
<div style="font-size:12px;letter-spacing:.08em;text-transform:uppercase;opacity:.9">${escape(letter.kicker)}</div>
<div style="font-size:21px;line-height:1.3;font-weight:600;margin-top:4px">${escape(letter.title)}</div></td></tr>
<tr><td style="padding:22px 28px 28px">
<p style="margin:0 0 18px">${escape(letter.lead)}</p>
${letter.parts.map((part) => partHtml(part, soft)).join('\n')}
${link}</td></tr>
<tr><td style="padding:14px 28px;background:#f6f7f8;color:#56616a;font-size:12px">${escape(letter.footer)}</td></tr>
</table></body></html>
`;
}

function partHtml(part: Part, soft: string): string {
  if (part.kind === 'facts') return factsHtml(part.facts, soft);
  const heading = `<h2 style="font-size:14px;margin:24px 0 6px">${escape(part.heading)}</h2>`;
  if (part.kind === 'text') return `${heading}<p style="margin:0">${escape(part.text)}</p>`;
  if (part.kind === 'lines') {
    const lines = part.lines.map(escape).join('\n');
    return `${heading}<pre style="margin:0;padding:12px 14px;background:#f6f7f8;border-radius:6px;${MONO};font-size:12px;line-height:1.45;white-space:pre-wrap;word-break:break-word">${lines}</pre>`;
  }
  return heading + tableHtml(part);
}

function factsHtml(facts: [string, string][], soft: string): string {
  const rows = facts.map(
    ([name, value]) =>
      `<tr><td style="padding:4px 16px 4px 0;color:#56616a;vertical-align:top;white-space:nowrap">${escape(name)}</td><td style="padding:4px 0;vertical-align:top">${escape(value)}</td></tr>`,
  );
  return `<table role="presentation" cellpadding="0" cellspacing="0" style="width:100%;background:${soft};border-radius:6px;padding:10px 16px;border-collapse:separate">${rows.join('')}</table>`;
}

function tableHtml({ columns, rows, note }: Extract<Part, { kind: 'table' }>): string {
  const cell = (tag: 'td' | 'th', text: string, style: string) =>
    `<${tag} align="left" style="padding:6px 12px 6px 0;border-bottom:1px solid #e3e6e8;${style}">${escape(text)}</${tag}>`;
  const head = columns.map((text) => cell('th', text, 'color:#56616a;font-weight:500')).join('');
  const body = rows
    .map((row) => `<tr>${row.map((text) => cell('td', text, 'vertical-align:top')).join('')}</tr>`)
    .join('');
  const below = note ? `<p style="margin:6px 0 0;color:#56616a;font-size:13px">${escape(note)}</p>` : '';
  return `<table cellpadding="0" cellspacing="0" style="width:100%;border-collapse:collapse;font-size:13px"><tr>${head}</tr>${body}</table>${below}`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
