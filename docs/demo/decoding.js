// A file to its pixels, exactly as they were compressed: not turned, not in other colours.

import { isJpeg, takeOrientation } from "./turning.js";

const HEADER = 2 ** 18; // bytes that Exif, which comes first, lies in
const MOST_PIXELS = 2 ** 26; // the result and what it came from take 8 bytes each
const MOST_SIDE = 16384; // of a canvas

// How the colour profile of Apple's photographs, Display P3, names itself (UTF-16).
const WIDE = [..."Display P3"].map((letter) => `\0${letter}`).join("");

/** What the numbers mean; of other profiles than these two it is taken to be sRGB. */
function colorSpace(header) {
  return new TextDecoder("latin1").decode(header).includes(WIDE) ? "display-p3" : "srgb";
}

/** { image, orientation, isJpeg }: image as ImageData. Errors have messages for people. */
export async function decode(file) {
  const header = new Uint8Array(await file.slice(0, HEADER).arrayBuffer());
  const jpeg = isJpeg(header);
  const orientation = jpeg ? takeOrientation(header) : 1;
  const unturned = new Blob([header, file.slice(HEADER)]);
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(unturned, options).catch(() => {
    throw new Error(`${file.name} is not a picture that this browser can read.`);
  });
  const { width, height } = bitmap;
  if (Math.max(width, height) > MOST_SIDE || width * height > MOST_PIXELS) {
    throw new Error(
      `${file.name} has ${width} × ${height} pixels, more than a page can hold; ` +
        "the command “agarnet restore” takes it.",
    );
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const image = new ImageData(data, width, height, { colorSpace: colorSpace(header) });
  return { image, orientation, isJpeg: jpeg };
}
