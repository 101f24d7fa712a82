// Detects quality from quantization steps: a port of
// agarnet_jax/restoration/traces/quantization_steps.py, which explains the method.

import { QUALITIES, ijg, continuedQuality } from "./table_fit.js";

const BLOCK = 8;
const PIXELS_MAX = 2 ** 17;
const PIECE = 512;
const LEAST_COEFFICIENTS = 16;
const ROUNDING = 0.3;
const LEAST_SHARE = 0.7;
const LEAST_SIGNIFICANCE = 5;
const NEIGHBOURS = 0.75;
const COARSE = 8;
const LEAST_STEPS = 3;
const [EXACT, DIFFERING_EXACT, DIFFERING] = [8, 0.05, 0.4];
const [NEAR, NEAR_SHARE, NEAR_ABOVE] = [12, 1 / 5, 15];
const [LOSSLESS, NEAR_LOSSLESS] = [96, 20];
const FINE = 90;

// The lowest AC frequencies in zigzag order: [down, across].
const FREQUENCIES = [
  [0, 1], [1, 0], [2, 0], [1, 1], [0, 2], [0, 3], [1, 2], [2, 1], [3, 0], [4, 0],
  [3, 1], [2, 2], [1, 3], [0, 4], [0, 5], [1, 4], [2, 3], [3, 2], [4, 1], [5, 0],
];

/** The quality detected from quantization steps if an estimate is near it, else the estimate. */
export function refined(estimate, plane) {
  const detected = detectedQuality(plane);
  if (detected === null) return estimate;
  const below = detected >= LOSSLESS ? NEAR_LOSSLESS : Math.min(NEAR, NEAR_SHARE * detected);
  const above = Math.max(below, NEAR_ABOVE);
  return detected - below <= estimate && estimate <= detected + above ? detected : estimate;
}

/** The quality of a plane's last compression as detected from its quantization steps, or null. */
export function detectedQuality(plane) {
  const { found, unclipped } = absoluteCoefficients(plane);
  const all = FREQUENCIES.map((frequency, i) => {
    const steps = candidates(frequency);
    const step = stepOf(found[i], steps);
    return step > 1 ? step : stepOf(unclipped[i], steps);
  });
  const hidden = Math.max(...all) > COARSE ? 1 : 0;
  const steps = all.map((step) => (step > hidden ? step : 0));
  if (steps.filter((step) => step > 0).length < LEAST_STEPS) return null;
  const shown = [...steps.keys()].filter((i) => steps[i] > 1);
  const differing = QUALITIES.map((quality) => {
    const differ = shown.filter((i) => ijg(FREQUENCIES[i], quality) !== steps[i]);
    return differ.length / Math.max(1, shown.length);
  });
  const least = Math.min(...differing);
  if (least > allowed(shown.map((i) => steps[i]))) {
    const continued = continuedQuality(steps, FREQUENCIES);
    return continued !== null && continued >= FINE ? continued : null;
  }
  const ones = QUALITIES.map((quality, number) => {
    if (differing[number] > least) return -1;
    return FREQUENCIES.filter((place, i) => steps[i] === 1 && ijg(place, quality) === 1).length;
  });
  return mean(QUALITIES.filter((_, number) => ones[number] === Math.max(...ones)));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The fraction of steps above 1 that may differ from those of a table. */
function allowed(steps) {
  if (!steps.length) return DIFFERING_EXACT;
  const sorted = [...steps].sort((a, b) => a - b);
  const [lower, upper] = [(steps.length - 1) >> 1, steps.length >> 1].map((i) => sorted[i]);
  return (lower + upper) / 2 > EXACT ? DIFFERING : DIFFERING_EXACT;
}

/** The possible steps above 1 of a frequency, largest first. */
function candidates(frequency) {
  const steps = new Set(QUALITIES.map((quality) => ijg(frequency, quality)));
  return [...steps].filter((step) => step > 1).sort((a, b) => b - a);
}

/** The largest step whose multiples the values cluster around; 1: too fine to detect, 0: unknown. */
function stepOf(all, steps) {
  const values = all.filter((value) => value > 1);
  let [best, found, largest] = [0, 0, 0];
  for (const step of steps) {
    if (step < NEIGHBOURS * largest) break;
    let [sum, count] = [0, 0];
    for (const value of values) {
      if (value > step / 2) {
        sum += Math.cos(((2 * Math.PI) / step) * value);
        count++;
      }
    }
    if (count < LEAST_COEFFICIENTS) continue;
    const expected = Math.exp(-2 * ((Math.PI * ROUNDING) / step) ** 2);
    const least = Math.max(LEAST_SHARE * expected, LEAST_SIGNIFICANCE / Math.sqrt(2 * count));
    if (sum / count > least) {
      largest = Math.max(largest, step);
      if (sum / count > best) [best, found] = [sum / count, step];
    }
  }
  return found || (values.length >= 4 * LEAST_SIGNIFICANCE ** 2 ? 1 : 0);
}

/** Absolute DCT coefficients for each of FREQUENCIES, in levels, of block rows sampled evenly over the
    plane; also those of the blocks without black or white pixels alone. */
function absoluteCoefficients({ data, width, height }) {
  const [found, unclipped] = [FREQUENCIES.map(() => []), FREQUENCIES.map(() => [])];
  const [across, down] = [width, height].map((side) => side - (side % BLOCK));
  const pieces = Math.ceil(across / PIECE);
  const count = (down / BLOCK) * pieces;
  const wanted = Math.min(count, Math.floor(PIXELS_MAX / (BLOCK * Math.min(across, PIECE))));
  for (let number = 0; number < wanted; number++) {
    const index = Math.floor((number * (count - 1)) / Math.max(1, wanted - 1));
    const top = Math.floor(index / pieces) * BLOCK;
    const start = (index % pieces) * PIECE;
    for (let left = start; left < Math.min(start + PIECE, across); left += BLOCK) {
      const at = (y, x) => data[(top + y) * width + left + x];
      const levels = Array.from({ length: BLOCK ** 2 }, (_, i) => 255 * at(i >> 3, i & 7));
      const clipped = levels.some((level) => level <= 0.5 || level >= 254.5);
      FREQUENCIES.forEach(([v, u], i) => {
        let sum = 0;
        for (let y = 0; y < BLOCK; y++) {
          for (let x = 0; x < BLOCK; x++) sum += BASIS[v][y] * BASIS[u][x] * at(y, x);
        }
        found[i].push(Math.abs(255 * sum));
        if (!clipped) unclipped[i].push(Math.abs(255 * sum));
      });
    }
  }
  return { found, unclipped };
}

/** The orthonormal DCT-II: [frequency][position]. */
const BASIS = Array.from({ length: BLOCK }, (_, frequency) =>
  Array.from({ length: BLOCK }, (_, place) => {
    const angle = ((2 * place + 1) * frequency * Math.PI) / (2 * BLOCK);
    return Math.sqrt((frequency ? 2 : 1) / BLOCK) * Math.cos(angle);
  }),
);
