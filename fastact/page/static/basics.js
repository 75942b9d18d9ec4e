// The page's data, and small helpers.

export const page = JSON.parse(document.getElementById("data").textContent);

export const byId = (id) => document.getElementById(id);

// An element with properties and children; text never becomes markup.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function makeSvg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// The shortest decimal that is read as the same float32: what NumPy prints, too.
export function exact(value) {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "minus infinity";
  for (let digits = 1; digits <= 9; digits += 1) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return signed(String(text));
  }
  return signed(String(value));
}

// Three digits, for captions.
export function brief(value) {
  return Number.isFinite(value) ? signed(String(Number(value.toPrecision(3)))) : exact(value);
}

const signed = (text) => text.replace(/^-/, "−").replace("e-", "e−");

export const percent = (share) => {
  const hundred = 100 * share;
  return `${hundred > 0 && hundred < 1 ? "<1" : Math.floor(hundred)}%`;
};

// The layers of a row: its place in each column, null where a column has no such layer.
export function layersOf(row) {
  return page.rows[row].map((place, column) => (place === null ? null : page.columns[column].layers[place]));
}

const stepsOf = (maps) => maps.count / maps.filters;

// The picture that a map is made from: of a run of pictures the one at its step, else the last.
export function pictureOf(column, maps, plane) {
  const addresses = page.columns[column].input?.addresses ?? [];
  const step = Math.floor(plane / maps.filters);
  return addresses.length === stepsOf(maps) ? addresses[step] : addresses.at(-1);
}

// A map's number, for captions.
export function mapNumber(maps, plane) {
  const filter = plane % maps.filters;
  return stepsOf(maps) > 1 ? `${Math.floor(plane / maps.filters)}:${filter}` : String(filter);
}

// What a map is called: its filter, and its step in a run of pictures.
export function mapName(maps, plane) {
  const filter = plane % maps.filters;
  return stepsOf(maps) > 1 ? `step ${Math.floor(plane / maps.filters)}, filter ${filter}` : `filter ${filter}`;
}
