// The quality of the last compression, and estimates refined by it: a port of
// agarnet_jax/restoration/traces/last_compression.py, which explains the method.

import { sampleBlocks } from "./blocks.js";
import { detectSteps } from "./quantization_steps.js";
import { findQuality } from "./requantization.js";
import { fittedQuality } from "./table_fit.js";

const MIN_STEPS = 3;
const FINEST = 99.5;
const [MAX_BELOW, MAX_BELOW_FRACTION, MAX_ABOVE] = [12, 1 / 5, 15];
const [NEARLY_LOSSLESS, MAX_DISTANCE_NEARLY_LOSSLESS] = [96, 20];
const FINE = 90;

/** The quality of a plane's last compression, or null if it cannot be detected. */
export function detectQuality(plane) {
  const blocks = sampleBlocks(plane);
  return findQuality(blocks) ?? qualityOfSteps(detectSteps(blocks));
}

function qualityOfSteps(steps) {
  if (steps.filter((step) => step > 0).length < MIN_STEPS) return null;
  if (Math.max(...steps) === 1) return FINEST;
  const fitted = fittedQuality(steps);
  return fitted !== null && fitted >= FINE ? fitted : null;
}

/** The detected quality if an estimate is near it, else the estimate. */
export function refineEstimate(estimate, detected) {
  if (detected === null) return estimate;
  const isNearlyLossless = detected >= NEARLY_LOSSLESS;
  const [below, above] = isNearlyLossless
    ? [MAX_DISTANCE_NEARLY_LOSSLESS, MAX_DISTANCE_NEARLY_LOSSLESS]
    : [Math.min(MAX_BELOW, MAX_BELOW_FRACTION * detected), MAX_ABOVE];
  const difference = estimate - detected;
  return -below <= difference && difference <= above ? detected : estimate;
}
