// What a cell is: its value, and the pixels it sees, drawn on the picture.

import { page, byId, exact, brief, percent, mapName, pictureOf } from "./basics.js";

// Top, left, bottom and right of what a cell sees, the last two exclusive; null where it sees everything.
export function sees(column, layer, row, cell) {
  if (!layer.field) return null;
  const rows = page.columns[column].spans[layer.field.rows];
  const columns = page.columns[column].spans[layer.field.columns];
  return [rows[2 * row], columns[2 * cell], rows[2 * row + 1], columns[2 * cell + 1]];
}

export function drawField(svg, rectangle) {
  for (const rect of svg.querySelectorAll(".field")) {
    rect.toggleAttribute("hidden", !rectangle);
    if (!rectangle) continue;
    const [top, left, bottom, right] = rectangle;
    rect.setAttribute("x", left);
    rect.setAttribute("y", top);
    rect.setAttribute("width", right - left);
    rect.setAttribute("height", bottom - top);
  }
}

export function seesInWords(rectangle) {
  if (!rectangle) return "";
  const [top, left, bottom, right] = rectangle;
  if (top >= bottom || left >= right) return "sees nothing but padding";
  return `sees ${right - left} × ${bottom - top} pixels: columns ${left} to ${right - 1}, rows ${top} to ${bottom - 1}`;
}

export function valueInWords(maps, value) {
  return `${maps.bits === 32 ? "" : "≈ "}${exact(value)}`;
}

// A cell under the pointer or the cursor; null clears.
export function read(at) {
  const reading = byId("reading");
  const [what, value, seen, whole] = reading.children;
  for (const figure of document.querySelectorAll(".looking figure")) {
    const svg = figure.querySelector("svg");
    const own = at && Number(figure.dataset.column) === at.column;
    if (!svg) continue;
    drawField(svg, own ? sees(at.column, at.layer, at.row, at.cell) : null);
    const image = figure.querySelector("img");
    const address = own ? pictureOf(at.column, at.layer.maps, at.plane) : image.src;
    if (image.src !== address) image.src = address;
  }
  if (!at) return;
  const { layer, plane, row, cell } = at;
  const place = layer.maps.vector
    ? `value ${cell}${layer.maps.height > 1 ? ` of step ${row}` : ""}`
    : `${mapName(layer.maps, plane)}, column ${cell}, row ${row}`;
  what.textContent = `${layer.name}, ${place}`;
  value.textContent = valueInWords(layer.maps, at.value);
  seen.textContent = seesInWords(sees(at.column, layer, row, cell)) || "sees the whole picture";
  whole.textContent = at.measure ? `the whole map: ${measureInWords(at.measure)}` : "";
  keep(at);
}

export function measureInWords({ low, high, mean, zeros }) {
  return `${brief(low)} to ${brief(high)}, mean ${brief(mean)}, ${percent(zeros)} zeros`;
}

let latest = "";

// Keeps a value for the clipboard, as NumPy would have it.
export function keep({ layer, plane, row, cell, value }) {
  const { maps } = layer;
  const steps = maps.count > maps.filters ? [Math.floor(plane / maps.filters)] : [];
  const line = maps.height > 1 ? [row] : [];
  const place = maps.vector ? [...line, cell] : [...steps, row, cell, plane % maps.filters];
  latest = `${layer.name}[${place.join(", ")}] = ${exact(value).replace(/−/g, "-")}`;
}

export function startCopying() {
  document.addEventListener("copy", (event) => {
    const own = event.target instanceof Element && event.target.matches("input");
    if (own || !latest || String(document.getSelection())) return;
    event.clipboardData.setData("text/plain", latest);
    event.preventDefault();
  });
}
