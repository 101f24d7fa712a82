// Quantization tables of the IJG library for luma, and the quality that other tables amount to: a
// port of agarnet_jax/jpeg_tables.py, which explains the method.
//
// Tables are arrays of 64 steps in raster order.

export const BLOCK = 8;
export const FREQUENCIES = BLOCK * BLOCK;
export const QUALITIES = Array.from({ length: 100 }, (_, i) => i + 1);

// ITU-T T.81, Annex K: the table for luma.
export const ANNEX_K = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
  14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
  49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

// The lowest AC frequencies in zigzag order.
export const LOW_FREQUENCIES = [
  1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40,
];

/** The distance of each frequency from DC. */
export const DISTANCES = ANNEX_K.map((_, i) => Math.hypot(Math.floor(i / BLOCK), i % BLOCK));

/** The table of a quality, an integer in 1–100. */
export function qualityTable(quality) {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return ANNEX_K.map((step) => Math.min(Math.max(Math.floor((step * scale + 50) / 100), 1), 255));
}

/** The quality whose table is closest in expected error; of equally close ones, the highest. */
export function effectiveQuality(table) {
  const logRatios = ERRORS.map((error) => Math.abs(Math.log(error / expectedError(table))));
  return QUALITIES[logRatios.lastIndexOf(Math.min(...logRatios))];
}

function expectedError(table) {
  const errors = table.map((step, i) => 1 / (12 / step ** 2 + (DISTANCES[i] / 40) ** 2));
  return errors.reduce((sum, value) => sum + value, 0) / table.length;
}

const ERRORS = QUALITIES.map((quality) => expectedError(qualityTable(quality)));
