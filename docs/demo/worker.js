// The worker does all heavy computation. It receives { file, quality, strength, cells } and posts
// its results as they become available; to cancel it, the page terminates it and starts another.
//
// cells: those of the estimator, if already known. quality: null to use the estimate.

import { luma } from "./color.js";
import { decode } from "./decoding.js";
import { detectQuality, refineEstimate } from "./last_compression.js";
import { loadNetworks } from "./model.js";
import { meanQuality } from "./flat_areas.js";
import { RESTORING, estimateCells, restoreTiles } from "./restoration.js";

const post = (kind, contents = {}, transfer = []) => postMessage({ kind, ...contents }, transfer);
const networks = loadNetworks();
networks.then(
  ({ threads }) => post("ready", { threads }),
  (error) => post("failed", { message: error.message, fatal: true }),
);

async function work({ file, quality, strength, cells }) {
  const { image, orientation, isJpeg } = await decode(file);
  post("opened", { image, orientation, isJpeg });
  const { estimate, restore } = await networks;
  const started = performance.now();
  const plane = luma(image);
  cells ??= await estimateCells(plane, estimate);
  const estimated = refineEstimate(meanQuality(cells, plane), detectQuality(plane));
  post("estimated", { cells, estimated, total: RESTORING.tiles(plane).length });
  const options = { quality: quality ?? estimated, strength, restorer: restore };
  for await (const tile of restoreTiles(image, plane, options)) {
    post("tile", tile, [tile.pixels.data.buffer]);
  }
  post("done", { seconds: (performance.now() - started) / 1000 });
}

addEventListener("message", ({ data }) => {
  work(data).catch((error) => post("failed", { message: error.message }));
});
