// Makes each comparison interactive: a draggable divider between two of its images, their
// difference, and close-ups of the same area in all. Without JavaScript, they are shown side by
// side.

const AMPLIFICATION = 8; // of the difference
const BLOCK = 8; // side of a JPEG block in pixels; an arrow key moves the close-ups by one block
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function readPixels(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** Draws (left − right) × AMPLIFICATION around middle gray. */
function drawDifference(canvas, left, right) {
  const result = readPixels(left);
  const subtrahend = readPixels(right).data;
  for (let i = 0; i < subtrahend.length; i++) {
    if (i % 4 === 3) continue; // alpha
    result.data[i] = 128 + AMPLIFICATION * (result.data[i] - subtrahend[i]);
  }
  canvas.getContext("2d").putImageData(result, 0, 0);
}

/** Calls `callback` with the pointer's position in the element, in [0, 1], on press and drag. */
function onDrag(element, callback) {
  const report = (event) => {
    const box = element.getBoundingClientRect();
    const clamp = (value) => Math.min(Math.max(value, 0), 1);
    callback(
      clamp((event.clientX - box.left) / box.width),
      clamp((event.clientY - box.top) / box.height),
    );
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // do not select or drag the image itself
    element.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") report(event); // a touch may become a scroll
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) report(event);
  });
  element.addEventListener("click", report);
}

class Viewer {
  constructor(article, tools) {
    this.article = article;
    this.name = article.querySelector("h3").textContent;
    this.stage = article.querySelector(".stage");
    this.figures = [...this.stage.querySelectorAll("figure")];
    this.images = this.figures.map((figure) => figure.querySelector("img"));
    const size = (side) => Number(this.images[0].getAttribute(side)); // available before decoding
    [this.width, this.height] = [size("width"), size("height")];
    this.center = { x: this.width / 2, y: this.height / 2 }; // of the close-ups
    this.zoom = 4;
    this.drawable = false; // until the images are near the screen and decoded
    this.insertTools(tools);
    this.initSelects();
    this.initDivider();
    this.initCloseups();
    this.select(0, 1);
  }

  insertTools(tools) {
    const find = (selector) => tools.querySelector(selector);
    this.selects = [find(".choose-left"), find(".choose-right")];
    this.swap = find(".swap");
    this.split = find(".split");
    this.difference = find(".difference");
    this.closeupSection = find(".closeup-section");
    this.closeups = find(".closeups");
    this.output = find(".position");
    this.article.querySelector(".views").before(find(".controls"));
    this.stage.append(find(".divider"), this.split);
    this.article.querySelector(".side").prepend(this.difference);
    this.article.append(this.closeupSection);
    this.article.classList.add("interactive");
    this.article.style.setProperty("--width", `${this.width}px`);
    this.article.style.setProperty("--ratio", this.width / this.height);
  }

  // The two selects for the images to compare.

  initSelects() {
    for (const select of this.selects) {
      for (const figure of this.figures) select.add(new Option(figure.dataset.name));
    }
    const [left, right] = this.selects;
    const indices = () => [left.selectedIndex, right.selectedIndex];
    // An image is never compared with itself: choosing the other side's image swaps the two.
    left.addEventListener("change", () => {
      const [chosen, other] = indices();
      this.select(chosen, chosen === other ? this.selected[0] : other);
    });
    right.addEventListener("change", () => {
      const [other, chosen] = indices();
      this.select(chosen === other ? this.selected[1] : other, chosen);
    });
    this.swap.addEventListener("click", () => this.select(...indices().reverse()));
  }

  select(left, right) {
    this.selected = [left, right];
    this.selects.forEach((select, side) => (select.selectedIndex = this.selected[side]));
    this.figures.forEach((figure, index) => {
      figure.classList.toggle("left", index === left);
      figure.classList.toggle("right", index === right);
    });
    const [minuend, subtrahend] = this.selected.map((index) => this.figures[index].dataset.name);
    const text = `Difference ×${AMPLIFICATION}: ${minuend} − ${subtrahend}; gray where equal`;
    this.difference.querySelector("figcaption").textContent = text;
    this.difference.querySelector("canvas").ariaLabel = `${this.name}: ${text}`;
    this.drawDifference();
    this.drawCloseups();
    this.moveDivider();
  }

  drawDifference() {
    if (!this.drawable) return;
    const [left, right] = this.selected.map((index) => this.images[index]);
    drawDifference(this.difference.querySelector("canvas"), left, right);
  }

  // The divider: a range input for keyboards and screen readers, the whole image for pointers.

  initDivider() {
    this.split.addEventListener("input", () => this.moveDivider());
    onDrag(this.stage, (x) => {
      this.split.value = 100 * x;
      this.split.focus({ preventScroll: true });
      this.moveDivider();
    });
  }

  moveDivider() {
    const [left, right] = this.selects.map((select) => select.value);
    const percent = Math.round(this.split.value);
    this.stage.style.setProperty("--split", `${this.split.value}%`);
    this.split.ariaValueText = `${percent} % ${left} on the left, then ${right}`;
  }

  // Close-ups: the same area of every image, the difference and the quality map.

  initCloseups() {
    const canvas = this.difference.querySelector("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    const map = this.article.querySelector(".quality-map .overview img");
    this.images.forEach((image, index) => {
      this.addCloseup(this.figures[index].dataset.name, image);
    });
    this.addCloseup(`Difference ×${AMPLIFICATION}`, canvas);
    this.addCloseup("Assumed quality", map);
    this.closeups.ariaLabel = `Close-ups of ${this.name}; use the arrow keys to move`;
    this.closeups.addEventListener("keydown", (event) => this.onKey(event));
    for (const overview of this.article.querySelectorAll(".overview")) this.addMarker(overview);
    for (const radio of this.closeupSection.querySelectorAll(".zoom input")) {
      radio.name = `zoom-${this.article.id}`;
      radio.addEventListener("change", () => {
        this.zoom = Number(radio.value);
        this.drawCloseups();
      });
    }
  }

  addCloseup(label, source) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const caption = document.createElement("figcaption");
    canvas.role = "img";
    canvas.ariaLabel = `${label}, close-up`;
    canvas.source = source;
    caption.textContent = label;
    canvas.addEventListener("click", (event) => {
      const shift = (offset, side) => (offset - side / 2) / this.zoom;
      this.moveTo(
        this.center.x + shift(event.offsetX, canvas.clientWidth),
        this.center.y + shift(event.offsetY, canvas.clientHeight),
      );
    });
    figure.append(canvas, caption);
    this.closeups.append(figure);
  }

  addMarker(overview) {
    const marker = document.createElement("div");
    marker.className = "marker";
    overview.append(marker);
    onDrag(overview, (x, y) => {
      this.closeups.focus({ preventScroll: true }); // for the arrow keys
      this.moveTo(x * this.width, y * this.height);
    });
  }

  onKey(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault(); // do not scroll the page
    const [x, y] = STEPS[event.key];
    const step = event.shiftKey ? 8 * BLOCK : BLOCK;
    this.moveTo(this.center.x + step * x, this.center.y + step * y);
  }

  moveTo(x, y) {
    this.center = { x, y };
    this.drawCloseups();
  }

  drawCloseups() {
    if (!this.drawable) return;
    const canvases = this.closeups.querySelectorAll("canvas");
    const side = canvases[0].clientWidth / this.zoom; // in image pixels
    // Stays within the image; an image smaller than the close-up is centred.
    const clamp = (value, size) =>
      size < side ? size / 2 : Math.min(Math.max(value, side / 2), size - side / 2);
    this.center = { x: clamp(this.center.x, this.width), y: clamp(this.center.y, this.height) };
    const left = Math.round(this.center.x - side / 2);
    const top = Math.round(this.center.y - side / 2);
    for (const canvas of canvases) {
      canvas.width = canvas.height = side;
      canvas.getContext("2d").drawImage(canvas.source, -left, -top);
    }
    this.output.value = `Centre: ${left + side / 2}, ${top + side / 2}`;
    for (const marker of this.article.querySelectorAll(".marker")) {
      marker.style.left = `${(100 * left) / this.width}%`;
      marker.style.top = `${(100 * top) / this.height}%`;
      marker.style.width = `${(100 * side) / this.width}%`;
      marker.style.height = `${(100 * side) / this.height}%`;
    }
  }

  async activate() {
    const images = [...this.article.querySelectorAll(".views img")];
    await Promise.all(images.map((image) => image.decode()));
    this.drawable = true;
    this.drawDifference();
    new ResizeObserver(() => this.drawCloseups()).observe(this.closeups);
  }
}

// Differences and close-ups take time to draw, so they wait until they are near the screen.
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      viewers.get(target).activate();
    }
  },
  { rootMargin: "400px" },
);
const viewers = new Map();
const template = document.querySelector("#tools");

for (const article of document.querySelectorAll(".comparison")) {
  viewers.set(article, new Viewer(article, template.content.cloneNode(true)));
  observer.observe(article);
}
