// How maps are shown: the choices at the top of the page, and what they mean in words.

import { page, byId, make, brief } from "./basics.js";
import { words } from "./colours.js";

const listeners = [];

export const settings = {
  norm: "map",
  colours: page.colours[0].name,
  order: "number",
  size: 132,
  low: 0,
  high: 1,
};

export const onChange = (listener) => listeners.push(listener);

// The ends of a map's scale.
export function endsOf(maps, measure) {
  if (settings.norm === "fixed") return [settings.low, settings.high];
  if (settings.norm === "layer") return [maps.low, maps.high];
  return [measure.low, measure.high];
}

// The order in which a layer's maps stand.
export function ordered(measures) {
  const by = {
    number: () => 0,
    mean: (m) => -m.mean,
    most: (m) => -m.high,
    zeros: (m) => -m.zeros,
  }[settings.order];
  return measures
    .map((_, plane) => plane)
    .sort((a, b) => by(measures[a]) - by(measures[b]) || a - b);
}

// What a caption under a map says besides its number.
export function caption(measure) {
  if (settings.order === "mean") return brief(measure.mean);
  if (settings.order === "most") return brief(measure.high);
  if (settings.order === "zeros") return `${Math.floor(100 * measure.zeros)}%`;
  return "";
}

function inWords() {
  const { low, high } = words(settings.colours);
  if (settings.norm === "map") {
    return `Every map has a scale of its own: its smallest value is ${low}, its largest ${high}. `
      + "Colours of two maps do not compare.";
  }
  if (settings.norm === "layer") {
    return `Every layer has one scale: its smallest value is ${low}, its largest ${high}. `
      + "Colours compare within a layer.";
  }
  return `One scale for everything: ${brief(settings.low)} and less is ${low}, ${brief(settings.high)} and more ${high}.`;
}

// Has everything drawn anew, after a choice or where more is known.
export function redraw() {
  for (const listener of listeners) listener();
}

function changed() {
  byId("ends").hidden = settings.norm !== "fixed";
  byId("words").textContent = `${inWords()} A hatched map has one value everywhere.`;
  redraw();
}

function choice(id, name, read = (text) => text) {
  const element = byId(id);
  element.addEventListener("change", () => {
    settings[name] = read(element.value);
    changed();
  });
}

// Next choice of a list, as a key does.
export function turn(id) {
  const list = byId(id);
  list.selectedIndex = (list.selectedIndex + 1) % list.options.length;
  list.dispatchEvent(new Event("change"));
}

function number(id, name) {
  const element = byId(id);
  element.value = Number(settings[name].toPrecision(4));
  element.addEventListener("change", () => {
    const value = Number.parseFloat(element.value);
    if (Number.isFinite(value)) settings[name] = value;
    if (settings.low < settings.high) changed();
  });
}

export function startSettings() {
  byId("colours").append(...page.colours.map((map) => make("option", { value: map.name }, map.name)));
  const all = page.columns.flatMap((column) => column.layers.map((layer) => layer.maps)).filter(Boolean);
  if (all.length) {
    settings.low = Math.min(...all.map((maps) => maps.low));
    settings.high = Math.max(...all.map((maps) => maps.high));
  }
  for (const id of ["norm", "colours", "order"]) choice(id, id);
  choice("size", "size", Number);
  number("fixed-low", "low");
  number("fixed-high", "high");
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  changed();
}
