// What a cell is: its value, and the pixels it sees, drawn on the picture.

import { page, byId, exact, mapName, pictureOf } from "./basics.js";

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
  const [what, value, seen] = reading.children;
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
}
