// Detects quality from quantization steps: a port of
// agarnet_jax/restoration/traces/quantization_steps.py, which explains the method.

import { QUALITIES, ijg, fittedQuality } from "./table_fit.js";

const BLOCK = 8;
const MAX_PIXELS = 2 ** 17;
const SEGMENT = 512;
const MIN_COEFFICIENTS = 16;
const ROUNDING = 0.3;
const MIN_CONCENTRATION = 0.7;
const MIN_SIGNIFICANCE = 5;
const NEIGHBOUR_RATIO = 0.75;
const COARSE = 8;
const MIN_STEPS = 3;
const [EXACT, MAX_DIFFERING_EXACT, MAX_DIFFERING] = [8, 0.05, 0.4];
const [MAX_BELOW, MAX_BELOW_FRACTION, MAX_ABOVE] = [12, 1 / 5, 15];
const [NEARLY_LOSSLESS, MAX_DISTANCE_NEARLY_LOSSLESS] = [96, 20];
const FINE = 90;

// The lowest AC frequencies in zigzag order: [down, across].
const LOW_FREQUENCIES = [
  [0, 1], [1, 0], [2, 0], [1, 1], [0, 2], [0, 3], [1, 2], [2, 1], [3, 0], [4, 0],
  [3, 1], [2, 2], [1, 3], [0, 4], [0, 5], [1, 4], [2, 3], [3, 2], [4, 1], [5, 0],
];

/** The quality detected from quantization steps if an estimate is near it, else the estimate. */
export function refineEstimate(estimate, plane) {
  const detected = detectQuality(plane);
  if (detected === null) return estimate;
  const below =
    detected >= NEARLY_LOSSLESS
      ? MAX_DISTANCE_NEARLY_LOSSLESS
      : Math.min(MAX_BELOW, MAX_BELOW_FRACTION * detected);
  const above = Math.max(below, MAX_ABOVE);
  return detected - below <= estimate && estimate <= detected + above ? detected : estimate;
}

/** The quality of a plane's last compression as detected from its quantization steps, or null. */
export function detectQuality(plane) {
  const { found, unclipped } = absoluteCoefficients(plane);
  const all = LOW_FREQUENCIES.map((frequency, i) => {
    const steps = candidates(frequency);
    const step = detectStep(found[i], steps);
    return step > 1 ? step : detectStep(unclipped[i], steps);
  });
  const coarse = all.some((step) => step > COARSE);
  const steps = all.map((step) => (coarse && step === 1 ? 0 : step));
  if (steps.filter((step) => step > 0).length < MIN_STEPS) return null;
  const aboveOne = [...steps.keys()].filter((i) => steps[i] > 1);
  const differing = QUALITIES.map((quality) => {
    const differ = aboveOne.filter((i) => ijg(LOW_FREQUENCIES[i], quality) !== steps[i]);
    return differ.length / Math.max(1, aboveOne.length);
  });
  const least = Math.min(...differing);
  if (least > maxDifferingFraction(aboveOne.map((i) => steps[i]))) {
    const fitted = fittedQuality(steps, LOW_FREQUENCIES);
    return fitted !== null && fitted >= FINE ? fitted : null;
  }
  const ones = QUALITIES.map((quality, i) => {
    if (differing[i] > least) return -1;
    const agrees = (frequency, i) => steps[i] === 1 && ijg(frequency, quality) === 1;
    return LOW_FREQUENCIES.filter(agrees).length;
  });
  return mean(QUALITIES.filter((_, i) => ones[i] === Math.max(...ones)));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The fraction of steps above 1 that may differ from those of a table. */
function maxDifferingFraction(steps) {
  if (!steps.length) return MAX_DIFFERING_EXACT;
  const sorted = [...steps].sort((a, b) => a - b);
  const [lower, upper] = [(steps.length - 1) >> 1, steps.length >> 1].map((i) => sorted[i]);
  return (lower + upper) / 2 > EXACT ? MAX_DIFFERING : MAX_DIFFERING_EXACT;
}

/** The possible steps above 1 of a frequency, largest first. */
function candidates(frequency) {
  const steps = new Set(QUALITIES.map((quality) => ijg(frequency, quality)));
  return [...steps].filter((step) => step > 1).sort((a, b) => b - a);
}

/** The largest step near whose multiples the values lie; 1: too fine to detect, 0: unknown. */
function detectStep(all, steps) {
  const values = all.filter((value) => value > 1);
  let [best, found, largest] = [0, 0, 0];
  for (const step of steps) {
    if (step < NEIGHBOUR_RATIO * largest) break;
    let [sum, count] = [0, 0];
    for (const value of values) {
      if (value > step / 2) {
        sum += Math.cos(((2 * Math.PI) / step) * value);
        count++;
      }
    }
    if (count < MIN_COEFFICIENTS) continue;
    const expected = Math.exp(-2 * ((Math.PI * ROUNDING) / step) ** 2);
    const least = Math.max(MIN_CONCENTRATION * expected, MIN_SIGNIFICANCE / Math.sqrt(2 * count));
    if (sum / count > least) {
      largest = Math.max(largest, step);
      if (sum / count > best) [best, found] = [sum / count, step];
    }
  }
  return found || (values.length >= 4 * MIN_SIGNIFICANCE ** 2 ? 1 : 0);
}

/**
 * Absolute DCT coefficients at each of LOW_FREQUENCIES, in levels, of segments of block rows,
 * evenly spread over the plane; also those of the blocks without black or white pixels alone.
 */
function absoluteCoefficients({ data, width, height }) {
  const [found, unclipped] = [LOW_FREQUENCIES.map(() => []), LOW_FREQUENCIES.map(() => [])];
  const [across, down] = [width, height].map((side) => side - (side % BLOCK));
  const segments = Math.ceil(across / SEGMENT);
  const count = (down / BLOCK) * segments;
  const sampled = Math.min(count, Math.floor(MAX_PIXELS / (BLOCK * Math.min(across, SEGMENT))));
  for (let i = 0; i < sampled; i++) {
    const index = Math.floor((i * (count - 1)) / Math.max(1, sampled - 1));
    const top = Math.floor(index / segments) * BLOCK;
    const start = (index % segments) * SEGMENT;
    for (let left = start; left < Math.min(start + SEGMENT, across); left += BLOCK) {
      const at = (y, x) => data[(top + y) * width + left + x];
      const levels = Array.from({ length: BLOCK ** 2 }, (_, k) => 255 * at(k >> 3, k & 7));
      const clipped = levels.some((level) => level <= 0.5 || level >= 254.5);
      LOW_FREQUENCIES.forEach(([v, u], k) => {
        let sum = 0;
        for (let y = 0; y < BLOCK; y++) {
          for (let x = 0; x < BLOCK; x++) sum += BASIS[v][y] * BASIS[u][x] * at(y, x);
        }
        found[k].push(Math.abs(255 * sum));
        if (!clipped) unclipped[k].push(Math.abs(255 * sum));
      });
    }
  }
  return { found, unclipped };
}

/** The orthonormal DCT-II: [frequency][position]. */
const BASIS = Array.from({ length: BLOCK }, (_, frequency) =>
  Array.from({ length: BLOCK }, (_, position) => {
    const angle = ((2 * position + 1) * frequency * Math.PI) / (2 * BLOCK);
    return Math.sqrt((frequency ? 2 : 1) / BLOCK) * Math.cos(angle);
  }),
);
