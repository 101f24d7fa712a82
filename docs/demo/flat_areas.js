// One quality for an image, disregarding its flat areas: a port of
// agarnet_jax/restoration/traces/flat_areas.py, which explains the method.

import { BLOCK } from "./jpeg_tables.js";
import { CELL, clipQuality } from "./quality.js";

const MIN_DIFFERENCE = 0.5 / 255;

/** The mean of cells by area and squared fraction of blocks with detail; by area if all are flat. */
export function meanQuality(cells, plane) {
  const parts = Array.from(cells.data, (quality, i) => {
    const [top, left] = [CELL * Math.floor(i / cells.columns), CELL * (i % cells.columns)];
    const bottom = Math.min(top + CELL, plane.height);
    const right = Math.min(left + CELL, plane.width);
    const detail = detailFraction(plane, { top, left, bottom, right });
    return { quality, detail, area: (bottom - top) * (right - left) };
  });
  const isFlat = parts.every(({ detail }) => detail === 0);
  let [sum, total] = [0, 0];
  for (const { quality, detail, area } of parts) {
    const weight = area * (isFlat ? 1 : detail ** 2);
    sum += weight * quality;
    total += weight;
  }
  return clipQuality(sum / total);
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
