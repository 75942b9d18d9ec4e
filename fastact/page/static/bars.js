// A vector: a bar for each value.

import { make, clamp, brief, exact } from "./basics.js";
import { read } from "./reading.js";

const HEIGHT = 96;

function drawBars(canvas, values, current, dense) {
  const ratio = window.devicePixelRatio || 1;
  const wide = canvas.clientWidth;
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(HEIGHT * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const style = getComputedStyle(canvas);
  const finite = values.filter(Number.isFinite);
  const high = Math.max(0, ...finite);
  const low = Math.min(0, ...finite);
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
  const finite = plain.filter(Number.isFinite);
  const ends = finite.length ? `${brief(Math.min(...finite))} to ${brief(Math.max(...finite))}` : "no finite value";
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
