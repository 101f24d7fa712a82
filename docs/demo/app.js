// The page's wiring: pictures come in, a worker restores them, the view shows what it tells.

import { inputs } from "./inputs.js";
import { Settings } from "./settings.js";
import { turned, turnedPlace, turnedSize } from "./turning.js";
import { View } from "./view.js";

const view = new View();
const settings = new Settings(() => picture && restore());
let worker;
let picture = null; // { file, image, orientation, cells }, the last three when they are known
let failedForGood = false; // without networks no picture can be restored
let engaged = false; // the worker is at work, or has failed: it takes no other picture

/** Ends what the worker does, and starts another one, which loads the networks at once. */
function startWorker() {
  worker?.terminate();
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }) => handle[data.kind](data));
  worker.addEventListener("error", (event) => {
    handle.failed({ message: `The worker stopped: ${event.message ?? "it could not be loaded"}.` });
  });
}

function open(file) {
  picture = { file };
  view.clear();
  restore();
}

function restore() {
  if (failedForGood) return;
  if (engaged) startWorker();
  engaged = true;
  view.work();
  const { file, cells } = picture;
  worker.postMessage({ file, cells, ...settings.values() });
}

const handle = {
  ready({ threads }) {
    view.threads = threads;
  },

  opened({ image, orientation, isJpeg }) {
    if (picture.image) {
      view.reopen();
      return;
    }
    Object.assign(picture, { image, orientation });
    view.open(picture.file.name, turned(image, orientation), { isJpeg });
  },

  estimated({ cells, estimated, total }) {
    picture.cells = cells;
    settings.suggest(estimated);
    view.estimated(estimated, cells, picture);
    view.tiles({ done: 0, total });
  },

  tile({ done, total, x, y, pixels }) {
    const { image, orientation } = picture;
    const place = turnedPlace({ x, y, ...sizeOf(pixels) }, image, orientation);
    view.draw(turned(pixels, orientation), place);
    view.tiles({ done, total });
  },

  done({ seconds }) {
    engaged = false;
    const { width, height } = turnedSize(picture.image, picture.orientation);
    view.done({ seconds, width, height });
  },

  failed({ message, fatal }) {
    failedForGood ||= fatal === true;
    view.fail(message);
  },
};

const sizeOf = ({ width, height }) => ({ width, height });

startWorker();
inputs(open, (message) => view.complain(message));
