// Quality from the quantization steps that coefficients show, as
// agarnet_jax/restoration/quantization_steps.py finds it; its reasons stand there.

const BLOCK = 8;
const PIXELS_MAX = 2 ** 17;
const PIECE = 512;
const LEAST_COEFFICIENTS = 16;
const ROUNDING = 0.3;
const LEAST_SHARE = 0.7;
const LEAST_SIGNIFICANCE = 5;
const NEIGHBOURS = 0.75;
const COARSE = 8;
const LEAST_STEPS = 3;
const LARGEST_MISFIT = 0.1;
const [NEAR, NEAR_SHARE, NEAR_ABOVE] = [12, 1 / 5, 15];
const [LOSSLESS, NEAR_LOSSLESS] = [96, 20];

// Of the lowest frequencies but the mean, in zigzag order: [down, across], and the step that ITU-T
// T.81, Annex K gives it for luma.
const FREQUENCIES = [
  [0, 1, 11], [1, 0, 12], [2, 0, 14], [1, 1, 12], [0, 2, 10], [0, 3, 16], [1, 2, 14],
  [2, 1, 13], [3, 0, 14], [4, 0, 18], [3, 1, 17], [2, 2, 16], [1, 3, 19], [0, 4, 24],
  [0, 5, 40], [1, 4, 26], [2, 3, 24], [3, 2, 22], [4, 1, 22], [5, 0, 24],
];

/** The quality that the steps of a plane show where an estimate is near it, else the estimate. */
export function refined(estimate, plane) {
  const shown = shownQuality(plane);
  if (shown === null) return estimate;
  const below = shown >= LOSSLESS ? NEAR_LOSSLESS : Math.min(NEAR, NEAR_SHARE * shown);
  const above = Math.max(below, NEAR_ABOVE);
  return shown - below <= estimate && estimate <= shown + above ? shown : estimate;
}

/** The IJG quality of a plane's last compression, or null. */
export function shownQuality(plane) {
  const coefficients = absoluteCoefficients(plane);
  const steps = FREQUENCIES.map(([, , base], i) => stepOf(coefficients[i], candidates(base)));
  const coarse = Math.max(...steps) > COARSE;
  const known = [...steps.keys()].filter((i) => steps[i] > (coarse ? 1 : 0));
  if (known.length < LEAST_STEPS) return null;
  const misfits = QUALITIES.map((quality) => {
    const logs = known.map((i) => Math.abs(Math.log(ijg(FREQUENCIES[i][2], quality) / steps[i])));
    return mean(logs);
  });
  const least = Math.min(...misfits);
  if (least > LARGEST_MISFIT) return null;
  return mean(QUALITIES.filter((_, i) => misfits[i] === least));
}

const QUALITIES = Array.from({ length: 100 }, (_, i) => i + 1);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function ijg(base, quality) {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  return Math.min(Math.max(Math.floor((base * scale + 50) / 100), 1), 255);
}

/** The steps above 1 that a frequency can have, largest first. */
function candidates(base) {
  const steps = new Set(QUALITIES.map((quality) => ijg(base, quality)));
  return [...steps].filter((step) => step > 1).sort((a, b) => b - a);
}

/** The largest step whose multiples the values lie near; 1 for finer than can be seen, 0: unknown. */
function stepOf(all, steps) {
  const values = all.filter((value) => value > 1);
  let [best, found, largest] = [0, 0, 0];
  for (const step of steps) {
    if (step < NEIGHBOURS * largest) break;
    let [sum, count] = [0, 0];
    for (const value of values) {
      if (value > step / 2) {
        sum += Math.cos(((2 * Math.PI) / step) * value);
        count++;
      }
    }
    if (count < LEAST_COEFFICIENTS) continue;
    const expected = Math.exp(-2 * ((Math.PI * ROUNDING) / step) ** 2);
    const least = Math.max(LEAST_SHARE * expected, LEAST_SIGNIFICANCE / Math.sqrt(2 * count));
    if (sum / count > least) {
      largest = Math.max(largest, step);
      if (sum / count > best) [best, found] = [sum / count, step];
    }
  }
  return found || (values.length >= 4 * LEAST_SIGNIFICANCE ** 2 ? 1 : 0);
}

/** For each of FREQUENCIES, in levels, of pieces of rows of blocks spread evenly over the plane. */
function absoluteCoefficients({ data, width, height }) {
  const found = FREQUENCIES.map(() => []);
  const [across, down] = [width, height].map((side) => side - (side % BLOCK));
  const pieces = Math.ceil(across / PIECE);
  const count = (down / BLOCK) * pieces;
  const wanted = Math.min(count, Math.floor(PIXELS_MAX / (BLOCK * Math.min(across, PIECE))));
  for (let number = 0; number < wanted; number++) {
    const place = Math.floor((number * (count - 1)) / Math.max(1, wanted - 1));
    const top = Math.floor(place / pieces) * BLOCK;
    const start = (place % pieces) * PIECE;
    for (let left = start; left < Math.min(start + PIECE, across); left += BLOCK) {
      const at = (y, x) => data[(top + y) * width + left + x];
      FREQUENCIES.forEach(([v, u], i) => {
        let sum = 0;
        for (let y = 0; y < BLOCK; y++) {
          for (let x = 0; x < BLOCK; x++) sum += BASIS[v][y] * BASIS[u][x] * at(y, x);
        }
        found[i].push(Math.abs(255 * sum));
      });
    }
  }
  return found;
}

/** The orthonormal DCT-II: [frequency][place]. */
const BASIS = Array.from({ length: BLOCK }, (_, frequency) =>
  Array.from({ length: BLOCK }, (_, place) => {
    const angle = ((2 * place + 1) * frequency * Math.PI) / (2 * BLOCK);
    return Math.sqrt((frequency ? 2 : 1) / BLOCK) * Math.cos(angle);
  }),
);
