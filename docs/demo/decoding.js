// Decodes a file to the pixels as stored: without rotation and without colour conversion.

import { isJpeg, takeOrientation } from "./turning.js";

const HEADER = 2 ** 18; // bytes that contain the EXIF data
const MAX_PIXELS = 2 ** 26; // image and result take 8 bytes per pixel
const MAX_SIDE = 16384; // the limit of a canvas

// The name of Display P3, the colour profile of iPhone photographs, in UTF-16.
const WIDE = [..."Display P3"].map((letter) => `\0${letter}`).join("");

/** Other profiles than these two are treated as sRGB. */
function colorSpace(header) {
  return new TextDecoder("latin1").decode(header).includes(WIDE) ? "display-p3" : "srgb";
}

/** { image, orientation, isJpeg }: image as ImageData. Error messages are for users. */
export async function decode(file) {
  const header = new Uint8Array(await file.slice(0, HEADER).arrayBuffer());
  const jpeg = isJpeg(header);
  const orientation = jpeg ? takeOrientation(header) : 1;
  const unturned = new Blob([header, file.slice(HEADER)]);
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(unturned, options).catch(() => {
    throw new Error(`${file.name} is not an image that this browser can read.`);
  });
  const { width, height } = bitmap;
  if (Math.max(width, height) > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new Error(
      `${file.name} has ${width} × ${height} pixels, which is too large for a web page; ` +
        "use the command “agarnet restore” instead.",
    );
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const image = new ImageData(data, width, height, { colorSpace: colorSpace(header) });
  return { image, orientation, isJpeg: jpeg };
}
