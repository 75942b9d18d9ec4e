// What is looked at, in the page's address: a link leads there, and it is there again after a reload.

import { page, layersOf } from "./basics.js";

const SETTLED = 300; // milliseconds without a change before it is written: browsers allow few in a short time

const NAMES = ["layer", "filter", "frame"];
const addressParts = new URLSearchParams([...new URLSearchParams(location.hash.slice(1))].filter(([name]) => NAMES.includes(name)));
let writing = 0; // the timer

const nameOf = (row) => layersOf(row).find(Boolean).name;

// Puts in what has a value and takes out what is null.
export function remember({ layer, filter, frame }) {
  if (layer !== undefined) addressParts.set("layer", nameOf(layer));
  for (const [name, value] of Object.entries({ filter, frame })) {
    if (value === null) addressParts.delete(name);
    else if (value !== undefined) addressParts.set(name, value);
  }
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", `#${addressParts}`), SETTLED);
}

const numberBelow = (text, most) => (/^[0-9]{1,9}$/.test(text ?? "") && Number(text) < most ? Number(text) : null);

// The row and the map that the address names, each null where it names none that there is.
export function addressed() {
  const name = addressParts.get("layer");
  const row = name === null ? -1 : page.rows.findIndex((_, each) => nameOf(each) === name);
  if (row < 0) return { row: null, plane: null };
  const maps = layersOf(row).find((layer) => layer?.maps && !layer.maps.vector)?.maps;
  return { row, plane: numberBelow(addressParts.get("filter"), maps?.count ?? 0) };
}

// The frame it names, from 0.
export function addressedFrame() {
  const number = numberBelow(addressParts.get("frame"), page.live.count + 1);
  return number ? number - 1 : null;
}
