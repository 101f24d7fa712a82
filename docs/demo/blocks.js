// Blocks of a plane and their DCT: a port of agarnet_jax/restoration/traces/block_sample.py and
// agarnet_jax/restoration/block_transform.py, which explain the method.
//
// Blocks and coefficients are Float32Arrays with 64 values for each block, in raster order.

import { BLOCK, FREQUENCIES } from "./jpeg_tables.js";

const MAX_PIXELS = 2 ** 17;
const SEGMENT = 512;

/** Blocks in levels, sampled in segments of block rows that are evenly spread over the plane. */
export function sampleBlocks({ data, width, height }) {
  const [across, down] = [width, height].map((side) => side - (side % BLOCK));
  const segments = Math.ceil(across / SEGMENT);
  const count = (down / BLOCK) * segments;
  const sampled = Math.min(count, Math.floor(MAX_PIXELS / (BLOCK * Math.min(across, SEGMENT))));
  const levels = [];
  for (let i = 0; i < sampled; i++) {
    const top = Math.floor((i * (down / BLOCK)) / sampled) * BLOCK;
    const start = (i % segments) * SEGMENT;
    for (let left = start; left < Math.min(start + SEGMENT, across); left += BLOCK) {
      for (let y = top; y < top + BLOCK; y++) {
        for (let x = left; x < left + BLOCK; x++) levels.push(255 * data[y * width + x]);
      }
    }
  }
  return Float32Array.from(levels);
}

/** Each block of an array, as a part that shares its memory. */
export function eachBlock(blocks) {
  const count = blocks.length / FREQUENCIES;
  return Array.from({ length: count }, (_, i) =>
    blocks.subarray(i * FREQUENCIES, (i + 1) * FREQUENCIES),
  );
}

/** The coefficients of blocks less `shift` levels. */
export function forwardBlocks(blocks, shift = 0) {
  const coefficients = blocks.map((level) => level - shift);
  for (const block of eachBlock(coefficients)) transform(block, BASIS, TRANSPOSED);
  return coefficients;
}

/** Replaces the coefficients of a block by its pixels. */
export function inverseBlock(block) {
  transform(block, TRANSPOSED, BASIS);
}

/** The orthonormal DCT-II: the row of each frequency holds its values by position. */
const BASIS = Float32Array.from({ length: FREQUENCIES }, (_, i) => {
  const [frequency, position] = [Math.floor(i / BLOCK), i % BLOCK];
  const angle = ((2 * position + 1) * frequency * Math.PI) / (2 * BLOCK);
  return Math.sqrt((frequency ? 2 : 1) / BLOCK) * Math.cos(angle);
});
const TRANSPOSED = BASIS.map((_, i) => BASIS[(i % BLOCK) * BLOCK + Math.floor(i / BLOCK)]);

/** Replaces a block by left · block · right. */
function transform(block, left, right) {
  multiply(left, block, HALF);
  multiply(HALF, right, block);
}

const HALF = new Float32Array(FREQUENCIES);

/** The product of two matrices 8×8. */
function multiply(a, b, product) {
  for (let row = 0; row < FREQUENCIES; row += BLOCK) {
    for (let column = 0; column < BLOCK; column++) {
      let sum = 0;
      for (let k = 0; k < BLOCK; k++) sum += a[row + k] * b[k * BLOCK + column];
      product[row + column] = sum;
    }
  }
}
