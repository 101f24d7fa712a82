// What the page shows, in the order in which it comes to know it.

import { drawScale, mapPixels, onScale } from "./colormap.js";
import { Comparison } from "./compare.js";
import { inRange } from "./quality.js";
import { turned } from "./turning.js";

const find = (selector) => document.querySelector(selector);
const VERDICTS = [
  [15, "very strongly compressed"],
  [35, "strongly compressed"],
  [60, "moderately compressed"],
  [85, "lightly compressed"],
  [101, "hardly compressed"],
];
const NOT_A_JPEG = "This file is no JPEG; it gets better only if its very pixels were one. ";

const rounded = (quality) => Math.round(inRange(quality));

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

  /** Another picture is to come. */
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

  /** Without numbers, the bar says only that something goes on. */
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

  /** The same once more, with other settings. */
  reopen() {
    this.comparison.reset();
    find("#facts").textContent = this.note;
    this.progress("Restoring …");
  }

  estimated(estimated, cells, { image, orientation }) {
    find("#quality").value = estimated.toFixed(1);
    const [, verdict] = VERDICTS.find(([limit]) => estimated < limit);
    find("#verdict").textContent = `estimated JPEG quality: ${verdict}`;
    const [low, high] = [Math.min, Math.max].map((most) => most(...cells.data));
    find("#range").textContent = `${rounded(low)} to ${rounded(high)} in places`;
    const mark = find(".mark");
    mark.hidden = false;
    mark.style.setProperty("--place", onScale(estimated));
    const pixels = turned(mapPixels(cells, image), orientation);
    Object.assign(this.map, { width: pixels.width, height: pixels.height });
    this.map.getContext("2d").putImageData(pixels, 0, 0);
    find("#show-map").disabled = false;
    this.showMap();
  }

  /** The map is shown if it is wanted and there. */
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

  /** Says what was wrong, or that nothing is; what is going on goes on. */
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
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // it may wait for a question
    }, "image/png");
  }
}
