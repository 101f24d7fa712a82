// Makes each comparison of two or more images interactive: a divider to drag between two of them,
// their difference, and close-ups of one place in all. Without it they stand side by side.

const GAIN = 8; // of the difference
const BLOCK = 8; // pixels of a JPEG block: an arrow key moves the place by one
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function pixels(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** Left minus right, GAIN times, around gray. */
function drawDifference(canvas, left, right) {
  const drawn = pixels(left);
  const subtracted = pixels(right).data;
  for (let i = 0; i < subtracted.length; i++) {
    if (i % 4 !== 3) drawn.data[i] = 128 + GAIN * (drawn.data[i] - subtracted[i]); // 3: alpha
  }
  canvas.getContext("2d").putImageData(drawn, 0, 0);
}

/** Calls `act` with the pointer's place within the element, in [0, 1], when pressed and dragged. */
function onDrag(element, act) {
  const tell = (event) => {
    const box = element.getBoundingClientRect();
    const within = (value) => Math.min(Math.max(value, 0), 1);
    act(
      within((event.clientX - box.left) / box.width),
      within((event.clientY - box.top) / box.height),
    );
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault(); // no selection, no dragged copy of the image
    element.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") tell(event); // a finger may be about to scroll the page
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) tell(event);
  });
  element.addEventListener("click", tell);
}

class Viewer {
  constructor(article, tools) {
    this.article = article;
    this.name = article.querySelector("h3").textContent;
    this.stage = article.querySelector(".stage");
    this.figures = [...this.stage.querySelectorAll("figure")];
    this.images = this.figures.map((figure) => figure.querySelector("img"));
    const size = (side) => Number(this.images[0].getAttribute(side)); // known before it is decoded
    [this.width, this.height] = [size("width"), size("height")];
    this.place = { x: this.width / 2, y: this.height / 2 };
    this.zoom = 4;
    this.placeTools(tools);
    this.makeChoice();
    this.makeDivider();
    this.makeCloseups();
    this.choose(0, 1);
  }

  placeTools(tools) {
    const find = (selector) => tools.querySelector(selector);
    this.selects = [find(".choose-left"), find(".choose-right")];
    this.swap = find(".swap");
    this.split = find(".split");
    this.difference = find(".difference");
    this.closer = find(".closer");
    this.closeups = find(".closeups");
    this.output = find(".place");
    this.article.querySelector(".views").before(find(".controls"));
    this.stage.append(find(".divider"), this.split);
    this.article.querySelector(".side").prepend(this.difference);
    this.article.append(this.closer);
    this.article.classList.add("interactive");
    this.article.style.setProperty("--width", `${this.width}px`);
    this.article.style.setProperty("--ratio", this.width / this.height);
  }

  // Which two images are compared.

  makeChoice() {
    for (const select of this.selects) {
      for (const figure of this.figures) select.add(new Option(figure.dataset.name));
    }
    const [left, right] = this.selects;
    const chosen = () => [left.selectedIndex, right.selectedIndex];
    // An image is never compared with itself: the other side takes what this one showed.
    left.addEventListener("change", () => {
      const [now, other] = chosen();
      this.choose(now, now === other ? this.chosen[0] : other);
    });
    right.addEventListener("change", () => {
      const [other, now] = chosen();
      this.choose(now === other ? this.chosen[1] : other, now);
    });
    this.swap.addEventListener("click", () => this.choose(...chosen().reverse()));
  }

  choose(left, right) {
    this.chosen = [left, right];
    this.selects.forEach((select, side) => (select.selectedIndex = this.chosen[side]));
    this.figures.forEach((figure, index) => {
      figure.classList.toggle("left", index === left);
      figure.classList.toggle("right", index === right);
    });
    const [from, subtracted] = this.chosen.map((index) => this.figures[index].dataset.name);
    const text = `Difference ×${GAIN}: ${from} − ${subtracted}; gray where equal`;
    this.difference.querySelector("figcaption").textContent = text;
    this.difference.querySelector("canvas").ariaLabel = `${this.name}: ${text}`;
    this.drawDifference();
    this.drawCloseups();
    this.moveDivider();
  }

  drawDifference() {
    if (!this.seen) return;
    const [left, right] = this.chosen.map((index) => this.images[index]);
    drawDifference(this.difference.querySelector("canvas"), left, right);
  }

  // The divider: a range for keys and screen readers, and the whole image for pointers.

  makeDivider() {
    this.split.addEventListener("input", () => this.moveDivider());
    onDrag(this.stage, (x) => {
      this.split.value = 100 * x;
      this.split.focus({ preventScroll: true });
      this.moveDivider();
    });
  }

  moveDivider() {
    const [left, right] = this.selects.map((select) => select.value);
    this.stage.style.setProperty("--split", `${this.split.value}%`);
    this.split.ariaValueText = `${Math.round(this.split.value)} % ${left}, then ${right}`;
  }

  // Close-ups: the same place of every image, the difference and the quality map.

  makeCloseups() {
    const canvas = this.difference.querySelector("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    const map = this.article.querySelector(".quality-map .overview img");
    this.images.forEach((image, index) => {
      this.addCloseup(this.figures[index].dataset.name, image);
    });
    this.addCloseup(`Difference ×${GAIN}`, canvas);
    if (map) this.addCloseup("Assumed quality", map);
    this.closeups.ariaLabel = `Close-ups of ${this.name}: the arrow keys move the place`;
    this.closeups.addEventListener("keydown", (event) => this.onKey(event));
    for (const overview of this.article.querySelectorAll(".overview")) this.addMarker(overview);
    for (const radio of this.closer.querySelectorAll(".zoom input")) {
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
      const moved = (at, side) => (at - side / 2) / this.zoom;
      this.look(
        this.place.x + moved(event.offsetX, canvas.clientWidth),
        this.place.y + moved(event.offsetY, canvas.clientHeight),
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
      this.closeups.focus({ preventScroll: true }); // its arrow keys go on from here
      this.look(x * this.width, y * this.height);
    });
  }

  onKey(event) {
    if (!(event.key in STEPS)) return;
    event.preventDefault(); // the page does not scroll
    const [x, y] = STEPS[event.key];
    const step = event.shiftKey ? 8 * BLOCK : BLOCK;
    this.look(this.place.x + step * x, this.place.y + step * y);
  }

  look(x, y) {
    this.place = { x, y };
    this.drawCloseups();
  }

  drawCloseups() {
    if (!this.seen) return;
    const canvases = this.closeups.querySelectorAll("canvas");
    const side = canvases[0].clientWidth / this.zoom; // pixels of the image
    // As far as the image reaches; in its middle where it is smaller than that.
    const within = (at, size) =>
      size < side ? size / 2 : Math.min(Math.max(at, side / 2), size - side / 2);
    this.place = { x: within(this.place.x, this.width), y: within(this.place.y, this.height) };
    const left = Math.round(this.place.x - side / 2);
    const top = Math.round(this.place.y - side / 2);
    for (const canvas of canvases) {
      canvas.width = canvas.height = side;
      canvas.getContext("2d").drawImage(canvas.source, -left, -top);
    }
    this.output.value = `at ${left + side / 2}, ${top + side / 2}`;
    for (const marker of this.article.querySelectorAll(".marker")) {
      marker.style.left = `${(100 * left) / this.width}%`;
      marker.style.top = `${(100 * top) / this.height}%`;
      marker.style.width = `${(100 * side) / this.width}%`;
      marker.style.height = `${(100 * side) / this.height}%`;
    }
  }

  async see() {
    const images = [...this.article.querySelectorAll(".views img")];
    await Promise.all(images.map((image) => image.decode()));
    this.seen = true;
    this.drawDifference();
    new ResizeObserver(() => this.drawCloseups()).observe(this.closeups);
  }
}

// What costs time is drawn when it comes near the screen.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      nearby.unobserve(target);
      viewers.get(target).see();
    }
  },
  { rootMargin: "400px" },
);
const viewers = new Map();
const template = document.querySelector("#tools");

for (const article of document.querySelectorAll(".comparison")) {
  if (article.querySelectorAll(".stage figure").length < 2) continue;
  viewers.set(article, new Viewer(article, template.content.cloneNode(true)));
  nearby.observe(article);
}
