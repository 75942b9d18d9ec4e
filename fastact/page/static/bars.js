// A vector: a bar for each value.

import { make, clamp, brief, exact } from "./basics.js";
import { read } from "./reading.js";

const HEIGHT = 96;

// The least and the largest of the values that are numbers, from `from` on: more of them than a function takes arguments.
function extremes(values, from = [Infinity, -Infinity]) {
  let [low, high] = from;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function drawBars(canvas, values, current, dense) {
  const ratio = window.devicePixelRatio || 1;
  const wide = canvas.clientWidth;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const [low, high] = extremes(values, [0, 0]);
  const y = (value) => 2 + ((high - value) / (high - low || 1)) * (HEIGHT - 4);
  const step = wide / values.length;
  const gap = dense ? 0 : 1;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) return;
    context.fillStyle = style.getPropertyValue(i === current ? "--mark" : "--bar");
    const top = Math.min(y(value), y(0));
    context.fillRect(i * step, top, Math.max(step - gap, 0.5), Math.max(Math.abs(y(value) - y(0)), 1));
  });
  context.fillStyle = style.getPropertyValue("--dim");
  context.fillRect(0, y(0), wide, 1);
}

// The values of one vector, read by pointer and by arrow keys.
export function bars(holder, at, values) {
  const { layer } = at;
  if (values.length <= 4) {
    const each = [...values].map((value) => make("output", {}, exact(value)));
    holder.replaceChildren(make("p", { className: "numbers" }, ...each));
    return () => {};
  }
  const canvas = make("canvas", {
    className: "bars",
    tabIndex: 0,
    role: "img",
    "aria-label": `${values.length} values of ${layer.name}, arrow keys read them one by one`,
  });
  const plain = Array.from(values);
  const [low, high] = extremes(plain);
  const ends = low <= high ? `${brief(low)} to ${brief(high)}` : "no finite value";
  holder.replaceChildren(canvas, make("p", { className: "dim" }, ends));
  let current = -1;
  const draw = () => drawBars(canvas, plain, current, plain.length > canvas.clientWidth / 3);
  const go = (to) => {
    current = to;
    draw();
    const width = layer.maps.width;
    read({ ...at, plane: 0, row: Math.floor(to / width), cell: to % width, value: plain[to] });
  };
  canvas.addEventListener("pointermove", (event) => {
    go(clamp(Math.floor((event.offsetX / canvas.clientWidth) * plain.length), 0, plain.length - 1));
  });
  canvas.addEventListener("pointerleave", () => {
    current = -1;
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, Home: -plain.length, End: plain.length }[event.key];
    if (!by) return;
    event.preventDefault();
    go(clamp(current + by, 0, plain.length - 1));
  });
  draw();
  return draw;
}
