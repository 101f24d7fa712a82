// The two networks in ONNX Runtime Web: WebAssembly, with as many threads as the page may use.

const BUILT = new URL("./built/", import.meta.url);
const MISSING = "is missing: build the page and serve it with “make web”.";
const MAX_THREADS = 8;

async function load(name) {
  const response = await fetch(new URL(name, BUILT));
  if (!response.ok) throw new Error(`${name} ${MISSING}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function loadRuntime() {
  if (typeof WebAssembly === "undefined") {
    throw new Error("This browser does not support WebAssembly, which this page needs.");
  }
  const ort = await import(new URL("ort.wasm.min.mjs", BUILT)).catch(() => {
    throw new Error(`ONNX Runtime Web ${MISSING}`);
  });
  // Threads need shared memory, which browsers only allow to isolated pages (serve.py).
  const threads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  Object.assign(ort.env.wasm, {
    wasmPaths: BUILT.href,
    numThreads: Math.min(threads, MAX_THREADS),
  });
  return ort;
}

/**
 * Loads the runtime and the networks.
 *
 * estimate: maps a tile { data, height, width } to its cells. restore: maps a tile and a quality to
 * restored luma, not clipped to [0, 1]. Error messages are for users.
 */
export async function loadNetworks() {
  const [ort, ...files] = await Promise.all([
    loadRuntime(),
    load("estimator.onnx"),
    load("restorer.onnx"),
  ]);
  const sessions = []; // sequentially, since the first one initializes the runtime
  for (const file of files) sessions.push(await ort.InferenceSession.create(file));
  const [estimator, restorer] = sessions;
  const run = async (session, inputs, name) => {
    const outputs = await session.run(inputs, [name]);
    return outputs[name].data;
  };
  const image = ({ data, height, width }) => new ort.Tensor("float32", data, [1, height, width, 1]);
  return {
    threads: ort.env.wasm.numThreads,
    estimate: (tile) => run(estimator, { image: image(tile) }, "cells"),
    restore: (tile, quality) => {
      const scalar = new ort.Tensor("float32", [quality], [1, 1, 1, 1]);
      return run(restorer, { image: image(tile), quality: scalar }, "restored");
    },
  };
}
