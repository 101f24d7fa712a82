// Planes cut into tiles that overlap, exactly as agarnet_jax/restoration/tiling.py cuts them.
//
// A plane is { data: Float32Array, height, width }, row by row.

const SHARE_UNIT = 64; // what shares of a side are rounded up to

/** One axis of a tile: it begins at `start`, and its results count in [first, last). */
function span(start, first, last) {
  return { start, first, last };
}

const CONTINUE = {
  /** Pixel `i` of a part that has only `length`: its last one again. */
  edge: (i, length) => Math.min(i, length - 1),
  /** Mirrored, the border pixel twice: "symmetric" in NumPy. */
  symmetric: (i, length) => {
    const there = i % (2 * length);
    return Math.min(there, 2 * length - 1 - there);
  },
};

export class Tiling {
  /**
   * largest: most a tile's side may be. overlap: how far a result may depend on pixels around it.
   * grid: what tiles are aligned to. padding: how the plane is continued to the grid.
   * scale: how many times smaller than the tile its result is.
   */
  constructor({ largest, overlap, grid, padding, scale = 1 }) {
    Object.assign(this, { largest, overlap, grid, scale, continued: CONTINUE[padding] });
  }

  /** The tile for a plane's side: all of it, up to the grid, or about an even share. */
  side(length) {
    const whole = Math.ceil(length / this.grid) * this.grid;
    if (whole <= this.largest) return whole;
    const shared = 2 * this.overlap;
    const count = Math.ceil((whole - shared) / (this.largest - shared));
    const share = Math.ceil((whole - shared) / count) + shared;
    return Math.min(this.largest, Math.ceil(share / SHARE_UNIT) * SHARE_UNIT);
  }

  /** Spans that cover [0, length) once, every result at least `overlap` from a cut. */
  spans(length) {
    const tile = this.side(length);
    const step = Math.floor((tile - 2 * this.overlap) / this.grid) * this.grid;
    const end = Math.ceil(length / this.grid) * this.grid;
    const starts = [];
    for (let start = 0; start < end - tile; start += step) starts.push(start);
    starts.push(end - tile);
    const cuts = [0, ...starts.slice(1).map((start) => start + this.overlap), length];
    return starts.map((start, i) => span(start, cuts[i], cuts[i + 1]));
  }

  /** Every tile of a plane, from top to bottom. */
  tiles({ height, width }) {
    const columns = this.spans(width);
    return this.spans(height).flatMap((row) => columns.map((column) => ({ row, column })));
  }

  /** The pixels of a tile, continued beyond the plane. */
  cut(plane, { row, column }) {
    const [height, width] = [this.side(plane.height), this.side(plane.width)];
    const [rows, columns] = [plane.height - row.start, plane.width - column.start];
    const data = new Float32Array(height * width);
    for (let y = 0; y < height; y++) {
      const line = row.start + this.continued(y, Math.min(height, rows));
      for (let x = 0; x < width; x++) {
        const place = column.start + this.continued(x, Math.min(width, columns));
        data[y * width + x] = plane.data[line * plane.width + place];
      }
    }
    return { data, height, width };
  }

  /** What counts of a tile's result, by axis: `from` in the tile's result, `to` in the whole. */
  counting({ start, first, last }) {
    const to = Math.floor(first / this.scale);
    const count = Math.ceil(last / this.scale) - to;
    return { to, count, from: to - Math.floor(start / this.scale) };
  }
}
