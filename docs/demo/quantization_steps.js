// Detects single quantization steps of the last compression: a port of
// agarnet_jax/restoration/traces/quantization_steps.py, which explains the method.

import { eachBlock, forwardBlocks } from "./blocks.js";
import { LOW_FREQUENCIES, QUALITIES, qualityTable } from "./jpeg_tables.js";

const MIN_COEFFICIENTS = 16;
const ROUNDING = 0.3;
const MIN_CONCENTRATION = 0.7;
const MIN_SIGNIFICANCE = 5;
const NEIGHBOUR_RATIO = 0.75;
const COARSE = 8;

const TABLES = QUALITIES.map(qualityTable);

/** The steps at LOW_FREQUENCIES, given blocks of a plane (`sampleBlocks`); 0 where unknown. */
export function detectSteps(sampled) {
  const [blocks, coefficients] = [sampled, forwardBlocks(sampled)].map(eachBlock);
  const clipped = blocks.map((block) => block.some((level) => level <= 0.5 || level >= 254.5));
  const steps = LOW_FREQUENCIES.map((frequency) => {
    const magnitudes = coefficients.map((block) => Math.abs(block[frequency]));
    const steps = candidates(frequency);
    const step = detectStep(magnitudes, steps);
    return step > 1 ? step : detectStep(magnitudes.filter((_, i) => !clipped[i]), steps);
  });
  const [isOne, isCoarse] = [(step) => step === 1, (step) => step > COARSE];
  const [ones, coarse] = [steps.filter(isOne).length, steps.filter(isCoarse).length];
  if (!ones || !coarse) return steps;
  const isArtifact = ones <= coarse ? isOne : isCoarse;
  return steps.map((step) => (isArtifact(step) ? 0 : step));
}

/** The possible steps above 1 of a frequency, largest first. */
function candidates(frequency) {
  const steps = new Set(TABLES.map((table) => table[frequency]));
  return [...steps].filter((step) => step > 1).sort((a, b) => b - a);
}

/** The largest step near whose multiples the values lie; 1: too fine to detect, 0: unknown. */
function detectStep(magnitudes, steps) {
  const values = magnitudes.filter((value) => value > 1);
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
