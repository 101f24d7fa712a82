// What the page displays; methods in the order in which they are called for an image.

import { drawScale, mapPixels, onScale } from "./colormap.js";
import { Comparison } from "./compare.js";
import { clipQuality } from "./quality.js";
import { turned } from "./turning.js";

const find = (selector) => document.querySelector(selector);
const VERDICTS = [
  [15, "very heavily compressed"],
  [35, "heavily compressed"],
  [60, "moderately compressed"],
  [85, "lightly compressed"],
  [101, "hardly compressed"],
];
const NOT_A_JPEG = "This file is not a JPEG; it only improves if its pixels come from one. ";

const rounded = (quality) => Math.round(clipQuality(quality));

export class View {
  constructor() {
    this.threads = 1;
    this.result = find("#result");
    this.map = find(".map");
    this.bar = find("progress");
    this.comparison = new Comparison(find(".stage"), document.querySelectorAll(".closeup"));
    drawScale(find("#scale"));
    find("#show-map").addEventListener("change", () => this.showMap());
    find("#download").addEventListener("click", () => this.download());
  }

  /** Resets the display for another image. */
  clear() {
    this.result.hidden = true;
    find("#quality").value = "–";
    find("#verdict").textContent = "estimated JPEG quality";
    find("#range").textContent = "";
    find(".mark").hidden = true;
    find("#show-map").disabled = true;
    this.showMap();
  }

  work() {
    document.body.dataset.state = "working";
    this.complain("");
    find("#progress").hidden = false;
    find("#download").disabled = true;
    find("#facts").textContent = "";
    this.progress("Loading the networks …");
  }

  /** Without numbers, the bar is indeterminate. */
  progress(text, { done, total } = {}) {
    find(".status").textContent = text;
    if (total === undefined) this.bar.removeAttribute("value");
    else Object.assign(this.bar, { max: total, value: done });
  }

  open(name, pixels, { isJpeg }) {
    this.name = name;
    this.comparison.open(pixels);
    this.result.hidden = false;
    this.note = isJpeg ? "" : NOT_A_JPEG;
    find("#facts").textContent = this.note;
    this.progress("Estimating the quality …");
  }

  /** Starts over with the same image and other settings. */
  reopen() {
    this.comparison.reset();
    find("#facts").textContent = this.note;
    this.progress("Restoring …");
  }

  estimated(estimated, cells, { image, orientation }) {
    find("#quality").value = estimated.toFixed(1);
    const [, verdict] = VERDICTS.find(([limit]) => estimated < limit);
    find("#verdict").textContent = `estimated JPEG quality: ${verdict}`;
    const [low, high] = [Math.min(...cells.data), Math.max(...cells.data)];
    find("#range").textContent = `${rounded(low)} to ${rounded(high)} across the image`;
    const mark = find(".mark");
    mark.hidden = false;
    mark.style.setProperty("--place", onScale(estimated));
    const pixels = turned(mapPixels(cells, image), orientation);
    Object.assign(this.map, { width: pixels.width, height: pixels.height });
    this.map.getContext("2d").putImageData(pixels, 0, 0);
    find("#show-map").disabled = false;
    this.showMap();
  }

  /** Shows the map if it is requested and available. */
  showMap() {
    const { checked, disabled } = find("#show-map");
    this.map.hidden = disabled || !checked;
  }

  draw(pixels, { x, y }) {
    this.comparison.result.getContext("2d").putImageData(pixels, x, y);
    this.comparison.drawCloseups();
  }

  tiles({ done, total }) {
    if (done === 0) this.started = performance.now();
    if (total === 1) {
      this.progress("Restoring …");
      return;
    }
    const seconds = ((performance.now() - this.started) / 1000 / done) * (total - done);
    const left = done > 0 ? `, about ${Math.ceil(seconds)} s left` : "";
    this.progress(`Restoring: ${done} of ${total} tiles done${left}`, { done, total });
  }

  done({ seconds, width, height }) {
    document.body.dataset.state = "done";
    find("#progress").hidden = true;
    find("#download").disabled = false;
    const threads = this.threads === 1 ? "1 thread" : `${this.threads} threads`;
    find("#facts").textContent =
      `${this.note}${width} × ${height} pixels in ${seconds.toFixed(1)} s on ${threads}.`;
  }

  fail(message) {
    document.body.dataset.state = "failed";
    find("#progress").hidden = true;
    this.complain(message);
  }

  /** Shows an error, or hides it if the message is empty; work in progress continues. */
  complain(message) {
    find("#problem").textContent = message;
    find("#problem").hidden = message === "";
  }

  download() {
    this.comparison.result.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.name.replace(/\.[^.]*$/, "")}-restored.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may ask where to save
    }, "image/png");
  }
}
