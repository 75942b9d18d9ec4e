// From values to colours.

import { page, make, brief } from "./basics.js";

const BAD = [255, 0, 255];

const tables = new Map(page.colours.map((map) => [map.name, Uint8Array.from(atob(map.table), (c) => c.charCodeAt(0))]));

export const words = (name) => page.colours.find((map) => map.name === name);

// Values onto a canvas, a pixel each. The place on the scale is floor(256 (x - low) / (high - low)), its ends clipped.
export function paint(canvas, values, width, height, low, high, name) {
  const table = tables.get(name);
  const image = new ImageData(width, height);
  const pixels = image.data;
  const span = high > low ? high - low : 1;
  for (let i = 0; i < width * height; i += 1) {
    const value = values[i];
    const place = (256 * (value - low)) / span;
    const entry = 3 * (place >= 255 ? 255 : place > 0 ? Math.floor(place) : 0);
    const bad = !Number.isFinite(value);
    for (let c = 0; c < 3; c += 1) pixels[4 * i + c] = bad ? BAD[c] : table[entry + c];
    pixels[4 * i + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The scale with its ends, for people who see it and for those who hear it.
export function scale(element, low, high, name) {
  const canvas = make("canvas", { className: "ramp", "aria-hidden": "true" });
  paint(canvas, Float32Array.from({ length: 256 }, (_, i) => i), 256, 1, 0, 256, name);
  const end = (text) => make("span", { className: "end" }, text);
  const ends = typeof low === "string" ? [low, high] : [brief(low), brief(high)];
  element.replaceChildren(end(ends[0]), canvas, end(ends[1]));
}
