const WIDTH = 160;
const HEIGHT = 28;

/** The shape of a column's values; the figures stand beside it. */
export function Histogram({ bars }: { bars: readonly { count: number }[] }) {
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const step = WIDTH / bars.length;
  return (
    <svg width={WIDTH} height={HEIGHT} className="histogram" aria-hidden="true">
      {bars.map(({ count }, index) => {
        const height = count === 0 ? 0 : Math.max(1, (count / most) * HEIGHT);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: bars have no other name than their place
          <rect key={index} x={index * step} y={HEIGHT - height} width={Math.max(1, step - 1)} height={height} />
        );
      })}
    </svg>
  );
}
