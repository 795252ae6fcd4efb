/** A Markdown table; `|` and line ends in cells are made harmless. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(harmless).join(' | ')} |\n`;
  return line(titles) + line(titles.map(() => '---')) + rows.map(line).join('');
}

function harmless(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
