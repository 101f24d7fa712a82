// Comparison of before and after: the slider, and close-ups of the point under the pointer.

const CLOSEUP = { width: 72, height: 54 }; // pixels of the image
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 8; // pixels per key press

export class Comparison {
  constructor(stage, closeups) {
    this.stage = stage;
    this.closeups = closeups;
    this.layers = [...stage.querySelectorAll("canvas:not(.map)")];
    this.split = stage.querySelector(".split");
    this.split.addEventListener("input", () => this.moveDivider());
    this.followPointer();
    for (const closeup of closeups) {
      Object.assign(closeup, CLOSEUP);
      closeup.tabIndex = 0;
      closeup.addEventListener("keydown", (event) => this.followKey(event));
      closeup.addEventListener("click", (event) => this.center(event));
    }
  }

  /** Shows an image (ImageData) on both sides until there is a result. */
  open(pixels) {
    const { width, height, colorSpace } = pixels;
    this.layers = this.layers.map((former) => {
      const layer = former.cloneNode(); // a canvas cannot change its colour space
      former.replaceWith(layer);
      Object.assign(layer, { width, height });
      layer.getContext("2d", { colorSpace }).putImageData(pixels, 0, 0);
      return layer;
    });
    this.stage.style.setProperty("--width", `${width}px`);
    this.stage.style.setProperty("--ratio", width / height);
    this.look(width / 2, height / 2);
    this.split.value = 50;
    this.moveDivider();
  }

  /** Discards the result. */
  reset() {
    const [before, after] = this.layers;
    after.getContext("2d").drawImage(before, 0, 0);
    this.drawCloseups();
  }

  get result() {
    return this.layers[1];
  }

  moveDivider() {
    const percent = Number(this.split.value);
    this.stage.style.setProperty("--split", `${percent}%`);
    this.stage.classList.toggle("only-after", percent < 10);
    this.stage.classList.toggle("only-before", percent > 90);
    this.split.setAttribute("aria-valuetext", `${Math.round(percent)} % JPEG, then restored`);
  }

  followPointer() {
    const within = (event) => {
      const box = this.stage.getBoundingClientRect();
      const limit = (value) => Math.min(Math.max(value, 0), 1);
      return [
        limit((event.clientX - box.left) / box.width),
        limit((event.clientY - box.top) / box.height),
      ];
    };
    const look = (event) => {
      const [x, y] = within(event);
      this.look(x * this.result.width, y * this.result.height);
    };
    const move = (event) => {
      this.split.value = 100 * within(event)[0];
      this.moveDivider();
      look(event);
    };
    this.stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault(); // no text selection
      this.split.focus({ preventScroll: true, focusVisible: false }); // for the arrow keys
      this.stage.setPointerCapture(event.pointerId);
      if (event.pointerType !== "touch") move(event); // a finger may be about to scroll
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (this.stage.hasPointerCapture(event.pointerId)) move(event);
      else if (event.pointerType === "mouse") look(event);
    });
    this.stage.addEventListener("click", move);
  }

  followKey(event) {
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    const [x, y] = KEYS[event.key];
    this.look(this.focus.x + STEP * x, this.focus.y + STEP * y);
  }

  center(event) {
    const box = event.target.getBoundingClientRect();
    const offset = (at, start, length, side) => ((at - start) / length - 0.5) * side;
    this.look(
      this.focus.x + offset(event.clientX, box.left, box.width, CLOSEUP.width),
      this.focus.y + offset(event.clientY, box.top, box.height, CLOSEUP.height),
    );
  }

  /** Centres the close-ups on a pixel. */
  look(x, y) {
    const inside = (value, side, shown) =>
      Math.min(Math.max(value, shown / 2), Math.max(side - shown / 2, shown / 2));
    this.focus = {
      x: inside(x, this.result.width, CLOSEUP.width),
      y: inside(y, this.result.height, CLOSEUP.height),
    };
    this.drawCloseups();
  }

  drawCloseups() {
    const { width, height } = CLOSEUP;
    const left = Math.round(this.focus.x - width / 2);
    const top = Math.round(this.focus.y - height / 2);
    this.closeups.forEach((closeup, i) => {
      const context = closeup.getContext("2d");
      context.clearRect(0, 0, width, height);
      context.drawImage(this.layers[i], left, top, width, height, 0, 0, width, height);
    });
  }
}
