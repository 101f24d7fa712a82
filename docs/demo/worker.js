// The worker: all heavy work, away from the page. It takes { file, quality, strength, cells } and
// tells what it has as it goes; to stop it, the page ends it and starts another.
//
// cells: of the estimator where they are known already. quality: null for the estimated one.

import { luma } from "./color.js";
import { decode } from "./decoding.js";
import { loadNetworks } from "./model.js";
import { meanQuality } from "./flat_areas.js";
import { RESTORING, estimateCells, restoreTiles } from "./restoration.js";
import { refined } from "./steps.js";

const tell = (kind, contents = {}, moved = []) => postMessage({ kind, ...contents }, moved);
const networks = loadNetworks();
networks.then(
  ({ threads }) => tell("ready", { threads }),
  (error) => tell("failed", { message: error.message, fatal: true }),
);

async function work({ file, quality, strength, cells }) {
  const { image, orientation, isJpeg } = await decode(file);
  tell("opened", { image, orientation, isJpeg });
  const { estimate, restore } = await networks;
  const started = performance.now();
  const plane = luma(image);
  cells ??= await estimateCells(plane, estimate);
  const estimated = refined(meanQuality(cells, plane), plane);
  tell("estimated", { cells, estimated, total: RESTORING.tiles(plane).length });
  const options = { quality: quality ?? estimated, strength, restorer: restore };
  for await (const tile of restoreTiles(image, plane, options)) {
    tell("tile", tile, [tile.pixels.data.buffer]);
  }
  tell("done", { seconds: (performance.now() - started) / 1000 });
}

addEventListener("message", ({ data }) => {
  work(data).catch((error) => tell("failed", { message: error.message }));
});
