// The two networks in ONNX Runtime Web: WebAssembly, on as many threads as the page may have.

const BUILT = new URL("./built/", import.meta.url);
const MISSING = "is missing: build the page and serve it with “make web”.";
const MOST_THREADS = 8;

async function load(name) {
  const response = await fetch(new URL(name, BUILT));
  if (!response.ok) throw new Error(`${name} ${MISSING}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function loadRuntime() {
  if (typeof WebAssembly === "undefined") {
    throw new Error("This browser has no WebAssembly, which the networks run in.");
  }
  const ort = await import(new URL("ort.wasm.min.mjs", BUILT)).catch(() => {
    throw new Error(`ONNX Runtime Web ${MISSING}`);
  });
  // Threads share memory, which a page may use only where it is isolated from others (serve.py).
  const threads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  Object.assign(ort.env.wasm, {
    wasmPaths: BUILT.href,
    numThreads: Math.min(threads, MOST_THREADS),
  });
  return ort;
}

/**
 * Loads runtime and networks.
 *
 * estimate: a tile { data, height, width } to its cells. restore: a tile and a quality to restored
 * luma, not limited to [0, 1]. Errors have messages for people.
 */
export async function loadNetworks() {
  const [ort, ...files] = await Promise.all([
    loadRuntime(),
    load("estimator.onnx"),
    load("restorer.onnx"),
  ]);
  const sessions = []; // one after the other: the first starts the runtime
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
      const told = new ort.Tensor("float32", [quality], [1, 1, 1, 1]);
      return run(restorer, { image: image(tile), quality: told }, "restored");
    },
  };
}
