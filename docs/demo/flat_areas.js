// One quality for an image, disregarding its flat areas: a port of
// agarnet_jax/restoration/traces/flat_areas.py, which explains the method.

import { CELL, clipQuality, meanOverArea } from "./quality.js";

const BLOCK = 8;
const MIN_DIFFERENCE = 0.5 / 255;

/** The mean of cells, weighted by area and by the squared fraction of blocks with detail. */
export function meanQuality(cells, plane) {
  let [sum, total] = [0, 0];
  for (let row = 0; row < cells.rows; row++) {
    for (let column = 0; column < cells.columns; column++) {
      const [top, left] = [CELL * row, CELL * column];
      const bottom = Math.min(top + CELL, plane.height);
      const right = Math.min(left + CELL, plane.width);
      const detail = detailFraction(plane, { top, left, bottom, right });
      const weight = (bottom - top) * (right - left) * detail ** 2;
      sum += weight * cells.data[row * cells.columns + column];
      total += weight;
    }
  }
  return total ? clipQuality(sum / total) : meanOverArea(cells, plane);
}

function detailFraction(plane, { top, left, bottom, right }) {
  let [found, blocks] = [0, 0];
  for (let y = top; y < bottom; y += BLOCK) {
    for (let x = left; x < right; x += BLOCK) {
      blocks++;
      if (hasDetail(plane, y, x)) found++;
    }
  }
  return found / blocks;
}

/** Whether any pixel of a block differs from its right or lower neighbour. */
function hasDetail({ data, width, height }, top, left) {
  for (let y = top; y < Math.min(top + BLOCK, height); y++) {
    for (let x = left; x < Math.min(left + BLOCK, width); x++) {
      const at = y * width + x;
      if (x + 1 < width && Math.abs(data[at + 1] - data[at]) > MIN_DIFFERENCE) return true;
      if (y + 1 < height && Math.abs(data[at + width] - data[at]) > MIN_DIFFERENCE) return true;
    }
  }
  return false;
}
