// Splits planes into overlapping tiles, exactly as agarnet_jax/restoration/tiling.py does.
//
// A plane is { data: Float32Array, height, width } in row-major order.

const SIDE_UNIT = 64; // tile sides are rounded up to a multiple of this

// Index of the pixel that pads position `i` of a line of `length` pixels.
const PADDING = {
  /** Repeats the last pixel. */
  edge: (i, length) => Math.min(i, length - 1),
  /** Mirrors the line including its last pixel, like "symmetric" in NumPy. */
  symmetric: (i, length) => {
    const index = i % (2 * length);
    return Math.min(index, 2 * length - 1 - index);
  },
};

export class Tiling {
  /**
   * largest: maximum side of a tile. overlap: how far a result may depend on pixels around it.
   * grid: positions and sides of tiles are multiples of it. padding: how a plane is extended to the
   * grid. scale: ratio of a tile's side to that of its result.
   */
  constructor({ largest, overlap, grid, padding, scale = 1 }) {
    Object.assign(this, { largest, overlap, grid, scale, padIndex: PADDING[padding] });
  }

  /** The tile side for a plane's side: all of it, padded to the grid, or a nearly even split. */
  side(length) {
    const whole = Math.ceil(length / this.grid) * this.grid;
    if (whole <= this.largest) return whole;
    const shared = 2 * this.overlap;
    const count = Math.ceil((whole - shared) / (this.largest - shared));
    const share = Math.ceil((whole - shared) / count) + shared;
    return Math.min(this.largest, Math.ceil(share / SIDE_UNIT) * SIDE_UNIT);
  }

  /**
   * Tiles along one axis, { start, first, last }: one begins at `start`, and its results in
   * [first, last) are kept. These cover [0, length) once, at least `overlap` from tile edges.
   */
  spans(length) {
    const tile = this.side(length);
    const step = Math.floor((tile - 2 * this.overlap) / this.grid) * this.grid;
    const end = Math.ceil(length / this.grid) * this.grid;
    const starts = [];
    for (let start = 0; start < end - tile; start += step) starts.push(start);
    starts.push(end - tile);
    const cuts = [0, ...starts.slice(1).map((start) => start + this.overlap), length];
    return starts.map((start, i) => ({ start, first: cuts[i], last: cuts[i + 1] }));
  }

  /** The tiles of a plane, from top to bottom. */
  tiles({ height, width }) {
    const columns = this.spans(width);
    return this.spans(height).flatMap((row) => columns.map((column) => ({ row, column })));
  }

  /** The pixels of a tile, padded beyond the plane. */
  cut(plane, { row, column }) {
    const [height, width] = [this.side(plane.height), this.side(plane.width)];
    const [rows, columns] = [plane.height - row.start, plane.width - column.start];
    const data = new Float32Array(height * width);
    for (let y = 0; y < height; y++) {
      const line = row.start + this.padIndex(y, Math.min(height, rows));
      for (let x = 0; x < width; x++) {
        const at = column.start + this.padIndex(x, Math.min(width, columns));
        data[y * width + x] = plane.data[line * plane.width + at];
      }
    }
    return { data, height, width };
  }

  /** The kept results of an axis: `count`, at index `from` in the tile and `to` in the plane. */
  kept({ start, first, last }) {
    const to = Math.floor(first / this.scale);
    const count = Math.ceil(last / this.scale) - to;
    return { to, count, from: to - Math.floor(start / this.scale) };
  }
}
