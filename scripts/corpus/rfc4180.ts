/** Parses RFC 4180 as truth files are written: commas, doubled quotes, any line end. */
export function parseTruth(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  let any = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
      continue;
    }
    if (char === '"' && cell === '') {
      quoted = true;
      any = true;
    } else if (char === ',') {
      row.push(cell);
      cell = '';
      any = true;
    } else if (char === '\n' || char === '\r') {
      if (char === '\r' && text[at + 1] === '\n') at += 1;
      if (any || cell !== '') rows.push([...row, cell]);
      row = [];
      cell = '';
      any = false;
    } else cell += char;
  }
  if (any || cell !== '') rows.push([...row, cell]);
  return rows;
}

/** As universal newlines do it: every line end, also inside cells, is \n. */
export function universalNewlines(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
}
