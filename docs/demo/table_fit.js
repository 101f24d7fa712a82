// Fits quantization tables of encoders other than the IJG library's to some of their steps: a port
// of agarnet_jax/restoration/traces/table_fit.py, which explains the method.

import { ANNEX_K, DISTANCES, LOW_FREQUENCIES, effectiveQuality } from "./jpeg_tables.js";

const MIN_STEPS = 8;
const TOLERANCE = 0.2;
const MIN_INLIER_FRACTION = 0.6;
const ROUNDS = 3;

const TERMS = ANNEX_K.map((step, i) => [1, Math.log(step), Math.sqrt(DISTANCES[i])]);

/** The effective quality of a table, or null, given its `steps` at LOW_FREQUENCIES, 0: unknown. */
export function fittedQuality(steps) {
  const rows = LOW_FREQUENCIES.map((frequency) => TERMS[frequency]);
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
