export interface FaultPlace {
  /** Dotted path of the innermost member in which the text stops being JSON; `body` where there is none. */
  field: string;
  /** In words, for a person. */
  where: string;
}

const BLANKS = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null/y;

/**
 * Where a text that JSON.parse refused stops being JSON (its message does not always tell). Descends into
 * nested values, so the nesting must have been limited before.
 */
export function faultPlace(text: string): FaultPlace {
  const walk = { text, at: 0, path: [] as string[] };
  try {
    value(walk);
    pass(walk, BLANKS);
    if (walk.at < text.length) throw new Fault();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  const field = walk.path.map((step) => step.slice(0, 100)).join('.') || 'body';
  const line = text.slice(0, walk.at).split('\n').length;
  const column = walk.at - text.lastIndexOf('\n', walk.at - 1);
  const place = line > 1 ? `line ${line}, column ${column}` : `character ${column}`;
  const end = walk.at >= text.length ? 'it ends too early' : `at ${place}`;
  return { field, where: field === 'body' ? end : `${end}, in ${field}` };
}

class Fault extends Error {}

interface Walk {
  text: string;
  at: number;
  path: string[];
}

function pass(walk: Walk, token: RegExp): string {
  token.lastIndex = walk.at;
  const found = token.exec(walk.text)?.[0];
  if (found === undefined) throw new Fault();
  walk.at += found.length;
  return found;
}

function isNext(walk: Walk, letter: string): boolean {
  pass(walk, BLANKS);
  if (walk.text[walk.at] !== letter) return false;
  walk.at += 1;
  return true;
}

function need(walk: Walk, letter: string): void {
  if (!isNext(walk, letter)) throw new Fault();
}

function value(walk: Walk): void {
  if (isNext(walk, '{')) members(walk);
  else if (isNext(walk, '[')) elements(walk);
  else pass(walk, walk.text[walk.at] === '"' ? STRING : SCALAR);
}

/** The path keeps its last step where a fault is thrown, and loses it where the value was sound. */
function members(walk: Walk): void {
  if (isNext(walk, '}')) return;
  do {
    pass(walk, BLANKS);
    walk.path.push(pass(walk, STRING).slice(1, -1));
    need(walk, ':');
    value(walk);
    if (!/[,}]/.test(peek(walk))) throw new Fault();
    walk.path.pop();
  } while (isNext(walk, ','));
  need(walk, '}');
}

function elements(walk: Walk): void {
  if (isNext(walk, ']')) return;
  let index = 0;
  do {
    walk.path.push(String(index));
    value(walk);
    if (!/[,\]]/.test(peek(walk))) throw new Fault();
    walk.path.pop();
    index += 1;
  } while (isNext(walk, ','));
  need(walk, ']');
}

function peek(walk: Walk): string {
  pass(walk, BLANKS);
  return walk.text[walk.at] ?? '';
}
