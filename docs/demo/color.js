// Luma of pixels, and pixels with another luma: BT.601 in full range, as JPEG files have it (JFIF).

const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/** Rounds half to even, as NumPy does: what assigning to this kind of array does by itself. */
const rounded = new Uint8ClampedArray(1);

/** Luma of RGBA pixels in [0, 1], in whole levels: what the JPEG decoder had before it made RGB. */
export function luma({ data, width, height }) {
  const plane = new Float32Array(width * height);
  for (let i = 0; i < plane.length; i++) {
    rounded[0] = RED * data[4 * i] + GREEN * data[4 * i + 1] + BLUE * data[4 * i + 2];
    plane[i] = rounded[0] / 255;
  }
  return { data: plane, width, height };
}

/**
 * Adds a change of luma to one pixel. With Cb and Cr kept, R, G and B all change by as much as Y
 * (the first column of the matrix from YCbCr to RGB is 1, 1, 1).
 */
export function addLuma(target, at, source, from, change) {
  for (let channel = 0; channel < 3; channel++) {
    target[at + channel] = 255 * (source[from + channel] / 255 + change); // clamped and rounded
  }
  target[at + 3] = source[from + 3];
}
