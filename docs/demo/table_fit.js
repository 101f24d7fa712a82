// Fits quantization tables of encoders other than the IJG library's to some of their steps: a port
// of agarnet_jax/restoration/traces/table_fit.py, which explains the method.

export const QUALITIES = Array.from({ length: 100 }, (_, i) => i + 1);

const MIN_STEPS = 8;
const TOLERANCE = 0.2;
const MIN_INLIER_FRACTION = 0.6;
const ROUNDS = 3;

// ITU-T T.81, Annex K: the table for luma, by row.
const ANNEX_K = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
  14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
  49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const DISTANCES = ANNEX_K.map((_, i) => Math.hypot(Math.floor(i / 8), i % 8));
const TERMS = ANNEX_K.map((step, i) => [1, Math.log(step), Math.sqrt(DISTANCES[i])]);

/** The quantization step of the IJG table at the frequency [down, across]. */
export function ijg([down, across], quality) {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  const step = Math.floor((ANNEX_K[8 * down + across] * scale + 50) / 100);
  return Math.min(Math.max(step, 1), 255);
}

/** The effective quality of a table, or null; `steps` are 0 where unknown. */
export function fittedQuality(steps, frequencies) {
  const rows = frequencies.map(([down, across]) => TERMS[8 * down + across]);
  const finest = steps.filter((step) => step > 1).length >= MIN_STEPS ? 2 : 1;
  const known = [...steps.keys()].filter((i) => steps[i] >= finest);
  let [inliers, factors] = [known, null];
  for (let round = 0; round < ROUNDS; round++) {
    if (inliers.length < Math.max(MIN_STEPS, MIN_INLIER_FRACTION * known.length)) return null;
    factors = leastSquares(inliers.map((i) => [rows[i], Math.log(steps[i])]));
    inliers = known.filter((i) => {
      const fitted = Math.max(Math.round(Math.exp(dot(rows[i], factors))), 1);
      return Math.abs(Math.log(fitted / steps[i])) <= TOLERANCE;
    });
  }
  const table = TERMS.map((terms) => Math.exp(dot(terms, factors)));
  return effectiveQuality(table.map((step) => Math.min(Math.max(step, 1), 255)));
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** Least-squares coefficients of the three terms, from the normal equations. */
function leastSquares(equations) {
  const sums = [0, 1, 2].map((i) =>
    [0, 1, 2, 3].map((j) =>
      equations.reduce((sum, [terms, value]) => sum + terms[i] * [...terms, value][j], 0),
    ),
  );
  for (let i = 0; i < 3; i++) {
    for (let other = 0; other < 3; other++) {
      if (other === i) continue;
      const factor = sums[other][i] / sums[i][i];
      sums[other] = sums[other].map((value, j) => value - factor * sums[i][j]);
    }
  }
  return sums.map((row, i) => row[3] / row[i]);
}

/** The quality whose IJG table is closest in expected error, as in agarnet_jax/jpeg_tables.py. */
function effectiveQuality(steps) {
  const logRatios = ERRORS.map((error) => Math.abs(Math.log(error / expectedError(steps))));
  return QUALITIES[logRatios.lastIndexOf(Math.min(...logRatios))];
}

function expectedError(steps) {
  const errors = steps.map((step, i) => 1 / (12 / step ** 2 + (DISTANCES[i] / 40) ** 2));
  return errors.reduce((sum, value) => sum + value, 0) / steps.length;
}

const ERRORS = QUALITIES.map((quality) =>
  expectedError(ANNEX_K.map((_, i) => ijg([Math.floor(i / 8), i % 8], quality))),
);
