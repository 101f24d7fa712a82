// The EXIF orientation of a JPEG file, and rotating pixels by it.
//
// The networks need the pixels as compressed, users want to see them upright. So everything is
// computed in the orientation of the file, and rotated for display.

const [EXIF, APP1, SCAN, ORIENTATION] = [0x45786966, 0xe1, 0xda, 0x0112];

/** Whether a file starts with a JPEG marker. */
export function isJpeg(bytes) {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * Returns the EXIF orientation 1–8 in the first bytes of a JPEG file, or 1 if it is missing or
 * invalid, and sets it to 1 in the bytes, because browsers always apply it when they decode.
 */
export function takeOrientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      const marker = view.getUint8(at + 1);
      if (marker === SCAN) break;
      if (marker === APP1 && view.getUint32(at + 4) === EXIF) return inTiff(view, at + 10);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // truncated
  }
  return 1;
}

/** The same for the TIFF structure that starts at `start`. */
function inTiff(view, start) {
  const little = view.getUint16(start) === 0x4949;
  const directory = start + view.getUint32(start + 4, little);
  for (let entry = 0; entry < view.getUint16(directory, little); entry++) {
    const at = directory + 2 + 12 * entry;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    view.setUint16(at + 8, 1, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** The steps that make an image upright: transposition first, then mirroring. */
function moves(orientation) {
  return {
    transposed: orientation >= 5,
    mirrored: [2, 3, 6, 7].includes(orientation), // left to right
    flipped: [3, 4, 7, 8].includes(orientation), // top to bottom
  };
}

/** The size of an upright image. */
export function turnedSize({ width, height }, orientation) {
  return moves(orientation).transposed ? { width: height, height: width } : { width, height };
}

/** The position of a rectangle { x, y, width, height } in the upright image. */
export function turnedPosition({ x, y, width, height }, image, orientation) {
  const { transposed, mirrored, flipped } = moves(orientation);
  const [left, top] = transposed ? [y, x] : [x, y];
  const piece = turnedSize({ width, height }, orientation);
  const whole = turnedSize(image, orientation);
  return {
    x: mirrored ? whole.width - left - piece.width : left,
    y: flipped ? whole.height - top - piece.height : top,
  };
}

/** RGBA pixels turned upright, as ImageData. */
export function turned(pixels, orientation) {
  if (orientation === 1) return pixels;
  const { transposed, mirrored, flipped } = moves(orientation);
  const { width, height } = turnedSize(pixels, orientation);
  const result = new ImageData(width, height, { colorSpace: pixels.colorSpace });
  // One RGBA pixel per element.
  const from = new Uint32Array(pixels.data.buffer, pixels.data.byteOffset);
  const to = new Uint32Array(result.data.buffer);
  for (let y = 0; y < height; y++) {
    const row = flipped ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      const column = mirrored ? width - 1 - x : x;
      const [line, at] = transposed ? [column, row] : [row, column];
      to[y * width + x] = from[line * pixels.width + at];
    }
  }
  return result;
}
