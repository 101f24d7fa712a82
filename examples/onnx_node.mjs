// Restores a gray PNG with ONNX Runtime in Node.js: node onnx_node.mjs MODEL IN.png OUT.png
//
// MODEL: agarnet export --format onnx --part blind_uint8 -o MODEL
// Needs: npm install onnxruntime-node pngjs
import fs from "node:fs";
import ort from "onnxruntime-node";
import { PNG } from "pngjs";

const fail = (why) => {
  console.error(why);
  process.exit(1);
};
if (process.argv.length !== 5) fail("Restore a gray PNG: node onnx_node.mjs MODEL IN.png OUT.png");
const [model, source, destination] = process.argv.slice(2);
const { width, height, data } = PNG.sync.read(fs.readFileSync(source)); // RGBA
const [padW, padH] = [width, height].map((side) => Math.ceil(side / 8) * 8);
const pixel = (x, y) => data[4 * (Math.min(y, height - 1) * width + Math.min(x, width - 1))];
const luma = Uint8Array.from({ length: padW * padH }, (_, i) => pixel(i % padW, (i / padW) | 0));

const session = await ort.InferenceSession.create(model);
if (session.inputMetadata[0].type !== "uint8")
  fail(`${model} does not take uint8 images; export it with --part blind_uint8.`);
const image = new ort.Tensor("uint8", luma, [1, padH, padW, 1]);
const { restored, quality } = await session.run({ image });

const out = Buffer.alloc(width * height);
for (let y = 0; y < height; y++) out.set(restored.data.subarray(y * padW, y * padW + width), y * width);
const gray = { colorType: 0, inputColorType: 0, inputHasAlpha: false };
fs.writeFileSync(destination, PNG.sync.write({ width, height, data: out }, gray));
console.log(`quality ${quality.data[0].toFixed(2)}`);
