// Connects the parts of the page: inputs, the worker that restores, and the view.

import { inputs } from "./inputs.js";
import { Settings } from "./settings.js";
import { turned, turnedPosition, turnedSize } from "./turning.js";
import { View } from "./view.js";

const view = new View();
const settings = new Settings(() => picture && restore());
let worker;
let picture = null; // { file, image, orientation, cells }, the last three once they are known
let failedForGood = false; // the networks could not be loaded
let busy = false; // the worker is restoring, or has failed, and must be replaced

/** Starts a new worker, which loads the networks at once, and terminates the former one. */
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
  if (busy) startWorker();
  busy = true;
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
    const position = turnedPosition({ x, y, ...sizeOf(pixels) }, image, orientation);
    view.draw(turned(pixels, orientation), position);
    view.tiles({ done, total });
  },

  done({ seconds }) {
    busy = false;
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
