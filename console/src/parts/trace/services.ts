/** Told apart by people with every kind of colour vision, and 3 : 1 on light and dark grounds. */
const COLOURS = ['#1a8fb7', '#c4711a', '#8672d6', '#3f9a55', '#c94f86', '#7d8a97'];

/** By order of appearance, so that the services of one trace differ. */
export function colourOf(services: readonly string[], service: string): string {
  return COLOURS[Math.max(0, services.indexOf(service)) % COLOURS.length] ?? '#7d8a97';
}
