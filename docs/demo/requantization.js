// Finds the table that blocks agree with: a port of
// agarnet_jax/restoration/traces/requantization.py, which explains the method.

import { eachBlock, forwardBlocks, inverseBlock } from "./blocks.js";
import { FREQUENCIES, QUALITIES, qualityTable } from "./jpeg_tables.js";

const AGREES = 0.3;
const CAP = 0.5;
const LEVEL_SHIFT = 128;
const MIN_COEFFICIENT = 4;
const FINEST = 98;
const [MAX_BLOCKS, MIN_AGREEING, MIN_FRACTION, MIN_TOTAL] = [400, 12, 0.5, 1];
const [CLEARLY_AGREES, MIN_EXPECTED, MIN_CLEAR] = [0.15, 1.5, 20];
const [MIN_CLEAR_FRACTION, MIN_CLEAR_OF_AGREEING] = [0.03, 0.85];

const UPRIGHT = QUALITIES.slice(0, FINEST).map(qualityTable);
const TRANSPOSED = UPRIGHT.map((table) => table.map((_, i) => table[(i % 8) * 8 + (i >> 3)]));

/**
 * The quality of the IJG table that blocks of a plane (`sampleBlocks`) agree with, or null. Those of
 * images that were rotated by 90° agree with a transposed table.
 */
export function findQuality(sampled) {
  const blocks = distinct(sampled);
  const every = Math.max(1, Math.ceil(blocks.length / MAX_BLOCKS));
  const some = blocks.filter((_, i) => i % every === 0);
  return (
    bestQuality(UPRIGHT, some, scoreOfWhole) ??
    bestQuality(TRANSPOSED, some, scoreOfWhole) ??
    bestQuality(UPRIGHT, blocks, scoreOfPart)
  );
}

/** The blocks with detail, without repetitions of a pattern at another brightness. */
function distinct(sampled) {
  const coefficients = eachBlock(forwardBlocks(sampled));
  const patterns = new Set();
  return eachBlock(sampled).filter((block, i) => {
    if (!coefficients[i].some((value, k) => k && Math.abs(value) >= MIN_COEFFICIENT)) return false;
    const pattern = block.map((level) => rint(level - block[0])).join();
    return !patterns.has(pattern) && patterns.add(pattern);
  });
}

/** The quality of the lowest score, null if all are infinite; of equal ones the middle one. */
function bestQuality(tables, parts, score) {
  const blocks = joined(parts);
  const coefficients = forwardBlocks(blocks, LEVEL_SHIFT);
  const scores = tables.map((table) => score(errors(blocks, coefficients, table)));
  const least = Math.min(...scores);
  const best = QUALITIES.filter((_, i) => scores[i] === least);
  return least < Infinity ? best[best.length >> 1] : null;
}

function joined(parts) {
  const blocks = new Float32Array(FREQUENCIES * parts.length);
  parts.forEach((block, i) => blocks.set(block, FREQUENCIES * i));
  return blocks;
}

/** The mean relative error; infinite if most blocks do not agree. */
function scoreOfWhole(errors) {
  const telling = errors.filter(({ expected }) => expected > 0);
  const agreeing = telling.filter(({ found, expected }) => found < AGREES * expected);
  const least = MIN_FRACTION * Math.max(sumExpected(telling), MIN_TOTAL);
  const isPoor = agreeing.length < MIN_AGREEING || sumExpected(agreeing) < least;
  return isPoor ? Infinity : meanCapped(telling);
}

/** The mean relative error; infinite unless a part of the blocks clearly agrees. */
function scoreOfPart(errors) {
  const telling = errors.filter(({ expected }) => expected >= MIN_EXPECTED);
  const below = (limit) => telling.filter(({ found, expected }) => found / expected < limit).length;
  const clear = below(CLEARLY_AGREES);
  const enough = clear >= Math.max(MIN_CLEAR, MIN_CLEAR_FRACTION * telling.length);
  const isPoor = !enough || clear < MIN_CLEAR_OF_AGREEING * below(AGREES);
  return isPoor ? Infinity : meanCapped(telling);
}

const sumExpected = (errors) => errors.reduce((sum, { expected }) => sum + expected, 0);

/** In single precision, as in Python, so that equal scores are equal. */
function meanCapped(errors) {
  const sum = errors.reduce((sum, { found, expected }) => sum + Math.min(found / expected, CAP), 0);
  return Math.fround(sum / errors.length);
}

/**
 * For each block, by how much quantizing it again changes it in levels², and what to expect if it
 * was not quantized with this table before; 0 without AC coefficients that are kept.
 */
function errors(blocks, coefficients, table) {
  const decoded = new Float32Array(FREQUENCIES);
  const results = [];
  for (let start = 0; start < blocks.length; start += FREQUENCIES) {
    let [found, expected, kept] = [0, 0, 0];
    for (let k = 0; k < FREQUENCIES; k++) {
      const [coefficient, step] = [coefficients[start + k], table[k]];
      const multiple = rint(Math.fround(coefficient / step));
      decoded[k] = multiple * step;
      expected += multiple ? step ** 2 / 12 : coefficient ** 2;
      if (multiple && k) kept++;
    }
    inverseBlock(decoded);
    for (let k = 0; k < FREQUENCIES; k++) {
      const level = Math.min(Math.max(rint(decoded[k] + LEVEL_SHIFT), 0), 255);
      found += (level - blocks[start + k]) ** 2;
    }
    results.push({ found: found / FREQUENCIES, expected: kept ? expected / FREQUENCIES : 0 });
  }
  return results;
}

/** Rounds half to even: doubles of this size have no fraction. */
const rint = (value) => value + WHOLE - WHOLE;
const WHOLE = 1.5 * 2 ** 52;
