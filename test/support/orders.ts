import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../src/cli/demo/sample.ts';

const CITIES = ['Bogotá', 'Medellín', 'Sevilla', 'Madrid', 'Cali', 'Valencia', 'Lima', 'Quito'];
const PRODUCTS = ['Coffee beans', 'Panela, block', 'Guava paste', 'Olive oil "extra"', 'Cocoa nibs', 'Queso manchego'];
const NOTES = ['', '', '', 'Left with the neighbour.\nSecond floor, green door.', 'Gift: no invoice, please'];
const FIRST_DAY = Date.UTC(2025, 0, 1);
const MINUTE = 60_000;

function field(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Orders of a small shop as CSV, the same for the same number; each of `broken` (line of the order) lacks fields. */
export function writeOrders(folder: string, name: string, rows: number, broken: readonly number[] = []): string {
  const random = seeded(rows);
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  const lines = ['order_id,ordered_at,city,product,quantity,price,delivered,note'];
  for (let id = 1; id <= rows; id += 1) {
    const at = new Date(FIRST_DAY + id * 7 * MINUTE).toISOString().slice(0, 19).replace('T', ' ');
    const row = [
      String(id),
      at,
      pick(CITIES),
      field(pick(PRODUCTS)),
      String(1 + Math.floor(random() * 12)),
      (3 + random() * 60).toFixed(2),
      String(random() < 0.9),
      field(pick(NOTES)),
    ];
    lines.push(broken.includes(id) ? row.slice(0, 3).join(',') : row.join(','));
  }
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}
