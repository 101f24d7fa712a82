// Quality 1–100 from the estimator's cells: a port of agarnet_jax/models/estimator.py and
// agarnet_jax/restoration/quality.py.
//
// Cells are { data, rows, columns }, one per 64×64 pixels, not clipped to 1–100.

export const CELL = 64;

export const clipQuality = (quality) => Math.min(Math.max(quality, 1), 100);

/** The quality whose quantization steps are `strength` times as large. */
export function applyStrength(quality, strength) {
  if (strength === 1) return quality;
  const steps = strength * (quality < 50 ? 5000 / quality : 200 - 2 * quality);
  return clipQuality(steps > 100 ? 5000 / Math.max(steps, 1) : 100 - steps / 2);
}

/** Interpolates cells bilinearly: returns a function from pixel coordinates to quality. */
export function interpolate({ data, rows, columns }) {
  const neighbours = (pixel, cells) => {
    const position = Math.min(Math.max(pixel / CELL - 0.5, 0), cells - 1);
    const before = Math.floor(position);
    return [before, Math.min(before + 1, cells - 1), position - before];
  };
  return (x, y) => {
    const [left, right, across] = neighbours(x, columns);
    const [upper, lower, down] = neighbours(y, rows);
    const line = (row) =>
      data[row * columns + left] * (1 - across) + data[row * columns + right] * across;
    return clipQuality(line(upper) * (1 - down) + line(lower) * down);
  };
}
