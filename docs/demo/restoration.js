// The algorithm of agarnet_jax/restoration/engine.py: one quality is estimated for the whole image,
// then luma is restored tile by tile.

import { addLuma } from "./color.js";
import { BLOCK } from "./jpeg_tables.js";
import { CELL, applyStrength } from "./quality.js";
import { Tiling } from "./tiling.js";

export const RESTORING = new Tiling({ largest: 512, overlap: 32, grid: BLOCK, padding: "edge" });
export const ESTIMATING = new Tiling({
  largest: 12 * CELL,
  overlap: 2 * CELL, // the receptive field of a cell extends 90 pixels beyond it
  grid: CELL,
  padding: "symmetric",
  scale: CELL,
});

/** The estimator's cells of a plane; `estimator` maps a tile to cells. */
export async function estimateCells(plane, estimator) {
  const [rows, columns] = [plane.height, plane.width].map((side) => Math.ceil(side / CELL));
  const cells = { data: new Float32Array(rows * columns), rows, columns };
  for (const tile of ESTIMATING.tiles(plane)) {
    const input = ESTIMATING.cut(plane, tile);
    const output = await estimator(input);
    const [down, across] = [ESTIMATING.kept(tile.row), ESTIMATING.kept(tile.column)];
    for (let y = 0; y < down.count; y++) {
      const from = (down.from + y) * (input.width / CELL) + across.from;
      const line = output.subarray(from, from + across.count);
      cells.data.set(line, (down.to + y) * columns + across.to);
    }
  }
  return cells;
}

/**
 * Restores an image tile by tile, from top to bottom.
 *
 * image: ImageData. plane: its luma. restorer: maps a tile and a quality to the restored tile.
 * Yields { done, total, x, y, pixels }, with the RGBA pixels of a tile at x, y; yields nothing if
 * nothing changes, for strength 0 and for constant luma.
 */
export async function* restoreTiles(image, plane, { quality, strength, restorer }) {
  if (strength === 0 || plane.data.every((value) => value === plane.data[0])) return;
  const assumed = applyStrength(quality, strength);
  const tiles = RESTORING.tiles(plane);
  const { colorSpace } = image;
  for (const [index, tile] of tiles.entries()) {
    const input = RESTORING.cut(plane, tile);
    const output = await restorer(input, assumed);
    const [down, across] = [RESTORING.kept(tile.row), RESTORING.kept(tile.column)];
    const pixels = new ImageData(across.count, down.count, { colorSpace });
    for (let y = 0; y < down.count; y++) {
      for (let x = 0; x < across.count; x++) {
        const inside = (down.from + y) * input.width + across.from + x;
        const whole = (down.to + y) * image.width + across.to + x;
        const change = output[inside] - input.data[inside];
        addLuma(pixels.data, 4 * (y * across.count + x), image.data, 4 * whole, change);
      }
    }
    yield { done: index + 1, total: tiles.length, x: across.to, y: down.to, pixels };
  }
}
