// Round numbers for an axis.

const STEPS = [1, 2, 2.5, 5, 10];

/**
 * Round numbers, evenly apart, the first at most `low` and the last at least `high`; at most `most` of them, `least` apart or more.
 * Where all values are the same, the two around them.
 */
export function ticks(low, high, most, least = 0.01) {
  const wanted = Math.max((high - low) / (most - 1), least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const sizes = [...STEPS.map((size) => size * power), 20 * power].filter((size) => size >= wanted * (1 - 1e-9) && (least < 1 || Number.isInteger(size)));
  for (const size of sizes) {
    const [first, last] = [Math.floor(low / size + 1e-9), Math.ceil(high / size - 1e-9)];
    const count = Math.max(1, last - first) + 1;
    if (count <= most || size === sizes.at(-1)) return Array.from({ length: count }, (_, index) => Number(((first + index) * size).toPrecision(12)));
  }
}
