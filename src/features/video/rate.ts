/** Frames per second as a fraction: 29.97 is 30000/1001 and nothing else. */
export interface Rate {
  num: number;
  den: number;
}

export const perSecond = ({ num, den }: Rate): number => num / den;
export const rateText = ({ num, den }: Rate): string => `${num}/${den}`;

/** The rates that cameras and films have. */
const COMMON: readonly Rate[] = [
  { num: 10, den: 1 },
  { num: 12, den: 1 },
  { num: 15, den: 1 },
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 48, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
];
const FASTEST = 60;
/** Slower ones are repeated whole: players stumble over one frame a second. */
const SLOWEST = 10;

/** `"30000/1001"` → a rate; undefined for 0/0 and the like. */
export function parseRate(text: string | undefined): Rate | undefined {
  const [num = 0, den = 0] = (text ?? '').split('/').map(Number);
  return num > 0 && den > 0 ? { num, den } : undefined;
}

/** A number as somebody writes it: 29.97 means 30000/1001. */
export function rateOf(fps: number): Rate {
  const near = COMMON.find((rate) => Math.abs(perSecond(rate) - fps) < 0.005);
  return near ?? { num: Math.round(fps * 1000), den: 1000 };
}

export interface Measured {
  /** Frames per second, all in all. */
  average: number;
  /** Most frames are as far from the next as all others. */
  constant: boolean;
  /** Seconds from one frame to the next, mostly. */
  usual: number;
  /** What the container says. */
  nominal: Rate | undefined;
}

/**
 * The rate of the clips. A constant rate is kept, so that every frame of the source is exactly one of the
 * clips' (slow ones: repeated whole times); a variable one becomes the next common rate above its average.
 */
export function clipRate({ average, constant, usual, nominal }: Measured): Rate {
  if (!(average > 0)) return { num: 25, den: 1 };
  const said = nominal ? perSecond(nominal) : 0;
  const meant = Math.abs(said / average - 1) < 0.01 || (constant && Math.abs(said * usual - 1) < 0.04);
  if (nominal && meant) return fitted(nominal);
  if (constant) return fitted(nearest(average));
  return COMMON.find((rate) => perSecond(rate) >= average * 0.995) ?? { num: FASTEST, den: 1 };
}

/** 5 → 10, each frame twice; 120 → 60, every second frame. */
function fitted({ num, den }: Rate): Rate {
  const repeats = Math.max(1, Math.ceil((SLOWEST * den) / num - 1e-9));
  const skips = Math.max(1, Math.ceil(num / den / FASTEST - 1e-9));
  return { num: num * repeats, den: den * skips };
}

function nearest(average: number): Rate {
  const close = COMMON.find((rate) => Math.abs(perSecond(rate) / average - 1) < 0.002);
  return close ?? { num: Math.round(average * 1000), den: 1000 };
}
