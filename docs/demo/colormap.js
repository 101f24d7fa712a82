// The colour map of quality 1–100: viridis (van der Walt & Smith, 2015; CC0).

import { interpolate } from "./quality.js";

const VIRIDIS = [
  [68, 1, 84],
  [72, 24, 106],
  [71, 45, 123],
  [66, 64, 134],
  [59, 82, 139],
  [51, 99, 141],
  [44, 114, 142],
  [38, 129, 142],
  [33, 144, 140],
  [31, 159, 136],
  [40, 174, 128],
  [62, 188, 116],
  [93, 201, 99],
  [130, 211, 76],
  [171, 220, 50],
  [213, 226, 26],
  [253, 231, 37],
];
const SAMPLE = 8; // the map is smooth, so one sample per 8×8 pixels is enough

/** The position of a quality on the scale, in [0, 1]. */
export const onScale = (quality) => (quality - 1) / 99;

function color(quality) {
  const position = onScale(quality) * (VIRIDIS.length - 1);
  const before = Math.min(Math.floor(position), VIRIDIS.length - 2);
  const fraction = position - before;
  return VIRIDIS[before].map((c, i) => c * (1 - fraction) + VIRIDIS[before + 1][i] * fraction);
}

function painted(width, height, qualityAt) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    pixels.data.set([...color(qualityAt(i % width, Math.floor(i / width))), 255], 4 * i);
  }
  return pixels;
}

/** The quality map at reduced resolution, to be stretched over the image. */
export function mapPixels(cells, image) {
  const quality = interpolate(cells);
  const [width, height] = [image.width, image.height].map((side) => Math.ceil(side / SAMPLE));
  const position = (index, samples, side) => ((index + 0.5) * side) / samples;
  return painted(width, height, (x, y) =>
    quality(position(x, width, image.width), position(y, height, image.height)),
  );
}

/** Draws the colour scale, lowest quality first. */
export function drawScale(canvas) {
  const { width } = canvas;
  const pixels = painted(width, 1, (x) => 1 + (99 * x) / (width - 1));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
