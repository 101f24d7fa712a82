// Luma of RGBA pixels, and changing it: full-range BT.601, as in JPEG files (JFIF).

const [RED, GREEN, BLUE] = [0.299, 0.587, 0.114];

/** Assigning to this kind of array rounds half to even, as NumPy does. */
const rounded = new Uint8ClampedArray(1);

/** Luma in [0, 1], rounded to 8-bit levels, as the JPEG decoder had it before converting to RGB. */
export function luma({ data, width, height }) {
  const plane = new Float32Array(width * height);
  for (let i = 0; i < plane.length; i++) {
    rounded[0] = RED * data[4 * i] + GREEN * data[4 * i + 1] + BLUE * data[4 * i + 2];
    plane[i] = rounded[0] / 255;
  }
  return { data: plane, width, height };
}

/**
 * Changes the luma of one pixel. With Cb and Cr unchanged, R, G and B change by as much as Y (the
 * first column of the YCbCr-to-RGB matrix is 1, 1, 1).
 */
export function addLuma(target, at, source, from, change) {
  for (let channel = 0; channel < 3; channel++) {
    target[at + channel] = 255 * (source[from + channel] / 255 + change); // clamped and rounded
  }
  target[at + 3] = source[from + 3];
}
