// Photographs that lie on their side: the JPEG file's Exif orientation, and pixels turned by it.
//
// The networks need the pixels as they were compressed, people want to see them upright. So all is
// computed as the file has it, and turned when it is drawn.

const [EXIF, APP1, SCAN, ORIENTATION] = [0x45786966, 0xe1, 0xda, 0x0112];

/** Whether a file begins as a JPEG. */
export function isJpeg(bytes) {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/**
 * The Exif orientation 1–8 of a JPEG file's first bytes; 1 where it has none, or a broken one. In
 * the bytes it is 1 afterwards: browsers turn what they decode, whether one likes it or not.
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
    if (!(error instanceof RangeError)) throw error; // it ends too early
  }
  return 1;
}

/** Of the TIFF directory that starts at `start`. */
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

/** What makes an image of that orientation upright: rows for columns first, then mirroring. */
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

/** Where a rectangle { x, y, width, height } of an image lies when the image is upright. */
export function turnedPlace({ x, y, width, height }, image, orientation) {
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
  // A pixel of RGBA at a time.
  const from = new Uint32Array(pixels.data.buffer, pixels.data.byteOffset);
  const to = new Uint32Array(result.data.buffer);
  for (let y = 0; y < height; y++) {
    const row = flipped ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      const column = mirrored ? width - 1 - x : x;
      const [line, place] = transposed ? [column, row] : [row, column];
      to[y * width + x] = from[line * pixels.width + place];
    }
  }
  return result;
}
