// A layer's maps: drawn when they come near the window, and let go of when they are far away.

import { page, make, brief, percent, layersOf, mapName, mapNumber } from "./basics.js";
import { source, measured } from "./packed.js";
import { paint, scale } from "./colours.js";
import { settings, onChange, endsOf, ordered, caption } from "./settings.js";
import { read } from "./reading.js";
import { knownOf, isDead } from "./statistics.js";
import { bars } from "./bars.js";
import { openStage } from "./stage.js";

const FIRST = 256; // maps of a layer shown before the rest is asked for
const NEAR = "900px";
const CAPTION = 22; // pixels below a map

const grids = new Map();

let room = 800; // pixels across for a column's maps, asked of the page once and not for every layer

// How large a map is drawn: a whole number of pixels a cell where it is enlarged, a whole number of cells a pixel
// where it is shrunk, so that all cells are alike.
function drawnSize(maps) {
  const longest = Math.max(maps.width, maps.height);
  const times = settings.size / longest;
  const factor = times >= 1 ? Math.round(times) : 1 / Math.max(1, Math.round(1 / times));
  return { width: Math.max(1, maps.width * factor), height: Math.max(1, maps.height * factor), crisp: factor >= 1 };
}

class Grid {
  constructor(holder, row, column) {
    this.holder = holder;
    this.row = row;
    this.column = column;
    this.layer = layersOf(row)[column];
    this.place = page.rows[row][column];
    this.legend = holder.parentElement.querySelector(".scale");
    this.values = null;
    this.shown = FIRST;
    this.wanted = false;
    this.turn = 0; // counts what was asked for, so that an answer that comes late is left
    holder.addEventListener("keydown", (event) => this.key(event));
    holder.addEventListener("focusin", (event) => this.stopAt(event.target.closest(".map")));
    holder.addEventListener("pointermove", (event) => this.point(event));
    holder.addEventListener("pointerdown", (event) => this.point(event));
    holder.addEventListener("pointerleave", () => read(null));
    holder.addEventListener("click", (event) => this.click(event));
    this.reserve();
  }

  get maps() {
    return this.layer.maps;
  }

  // Room for maps that are not drawn yet, so that the page does not jump when they are.
  reserve() {
    if (this.maps.vector) return;
    const { width, height } = drawnSize(this.maps);
    const across = Math.max(1, Math.floor((room + 8) / (Math.max(width, 28) + 8)));
    const lines = Math.ceil(Math.min(this.maps.count, this.shown) / across);
    this.holder.style.minHeight = `${lines * (height + CAPTION + 8)}px`;
  }

  async show() {
    if (this.wanted) return;
    this.wanted = true;
    if (await this.load()) this.build();
  }

  hide() {
    if (!this.wanted || this.maps.vector || this.holder.contains(document.activeElement)) return;
    this.wanted = false;
    this.holder.style.minHeight = `${this.holder.offsetHeight}px`;
    this.holder.replaceChildren();
    this.values = null;
  }

  // Fetches the values; says whether they are still wanted, which they are not once others were asked for.
  async load() {
    this.turn += 1;
    const turn = this.turn;
    const values = await source.values(this.column, this.place);
    if (turn !== this.turn || !this.wanted) return false;
    this.take(values);
    return true;
  }

  // A layer's values, with its ends, which are others in every frame.
  take(values) {
    this.values = values;
    this.measures = measured(values, this.maps.count);
    const known = this.measures.filter((measure) => Number.isFinite(measure.low));
    if (!known.length) return;
    this.maps.low = Math.min(...known.map((measure) => measure.low));
    this.maps.high = Math.max(...known.map((measure) => measure.high));
  }

  // Another frame's values.
  async reload() {
    if (!this.wanted) this.values = null;
    else if (await this.load()) this.build();
  }

  plane(number) {
    const cells = this.maps.width * this.maps.height;
    return this.values.subarray(number * cells, (number + 1) * cells);
  }

  build() {
    if (this.maps.vector) {
      this.redraw = bars(this.holder, { column: this.column, layer: this.layer }, this.values);
      return;
    }
    const focused = this.holder.contains(document.activeElement) ? document.activeElement.dataset.plane : null;
    const order = ordered(this.leading().measures ?? this.measures).slice(0, this.shown);
    const tiles = order.map((plane) => this.tile(plane));
    if (this.maps.count > this.shown) {
      const more = make("button", { type: "button", className: "more" }, `Show all ${this.maps.count} maps`);
      tiles.push(more);
    }
    this.holder.replaceChildren(...tiles);
    this.holder.style.minHeight = "";
    const first = focused === null ? tiles[0] : this.holder.querySelector(`[data-plane="${focused}"]`) ?? tiles[0];
    first.tabIndex = 0;
    if (focused !== null) first.focus();
    this.drawScale();
  }

  // The order of maps is the first column's in all columns, so that the same filters stand side by side.
  leading() {
    const first = grids.get(`${this.row}-0`);
    return first && first.measures && first.maps.count === this.maps.count ? first : this;
  }

  drawScale() {
    if (settings.norm === "map") scale(this.legend, "each map’s least", "its largest", settings.colours);
    else scale(this.legend, ...endsOf(this.maps, null), settings.colours);
  }

  tile(plane) {
    const measure = this.measures[plane];
    const { width, height, crisp } = drawnSize(this.maps);
    const flat = measure.low === measure.high && !measure.bad && this.maps.width * this.maps.height > 1;
    const facts = flat
      ? `${brief(measure.low)} everywhere`
      : `mean ${brief(measure.mean)}, maximum ${brief(measure.high)}, ${percent(measure.zeros)} zeros`;
    const verdict = knownOf(this.column, this.layer)?.filters[plane % this.maps.filters]?.verdict;
    const dead = isDead(verdict) ? verdict : "";
    const name = mapName(this.maps, plane) + (dead && `, ${dead} over ${page.columns[this.column].statistics.frames} frames`);
    const canvas = make("canvas", { className: crisp ? "crisp" : "" });
    const tile = make(
      "button",
      {
        type: "button",
        className: flat ? "map flat" : "map",
        tabIndex: -1,
        title: `${name}: ${facts}`,
        "aria-label": `${name}: ${facts}`,
        "data-plane": plane,
      },
      canvas,
      make("span", { className: "caption" }, make("b", {}, mapNumber(this.maps, plane)), ...this.said(measure, dead)),
    );
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const [low, high] = endsOf(this.maps, measure);
    paint(canvas, this.plane(plane), this.maps.width, this.maps.height, low, high, settings.colours);
    return tile;
  }

  // What a caption says besides a map's number.
  said(measure, dead) {
    if (dead) return [make("span", { className: "verdict" }, dead)];
    return [caption(measure)];
  }

  point(event) {
    const canvas = event.target;
    const tile = canvas.closest(".map");
    if (!tile || canvas.tagName !== "CANVAS" || !this.values) return;
    const box = canvas.getBoundingClientRect();
    const cell = Math.floor(((event.clientX - box.left) / box.width) * this.maps.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.maps.height);
    if (cell < 0 || row < 0 || cell >= this.maps.width || row >= this.maps.height) return;
    const plane = Number(tile.dataset.plane);
    const value = this.plane(plane)[row * this.maps.width + cell];
    const measure = this.measures[plane];
    read({ column: this.column, layer: this.layer, plane, row, cell, value, measure });
  }

  click(event) {
    if (event.target.closest(".more")) {
      this.shown = this.maps.count;
      this.build();
      return;
    }
    const tile = event.target.closest(".map");
    if (tile) openStage(this.row, Number(tile.dataset.plane), tile).catch(source.lost);
  }

  key(event) {
    const tile = event.target.closest(".map");
    if (!tile) return;
    const tiles = [...this.holder.querySelectorAll(".map")];
    const here = tiles.indexOf(tile);
    const line = tiles.filter((other) => other.offsetTop === tiles[0].offsetTop).length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: line, ArrowUp: -line, Home: -here, End: tiles.length }[event.key];
    if (!by) return;
    event.preventDefault();
    const to = tiles[Math.min(Math.max(here + by, 0), tiles.length - 1)];
    to.focus();
  }

  // Of all maps of a layer, the one last focused is where the tab key stops.
  stopAt(tile) {
    if (!tile) return;
    for (const other of this.holder.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    tile.tabIndex = 0;
  }
}

export const gridOf = (row, column) => grids.get(`${row}-${column}`);

export const reloadGrids = () => Promise.all([...grids.values()].map((grid) => grid.reload()));

function measureRoom() {
  room = document.querySelector(".maps")?.clientWidth ?? room;
}

export function startGrids() {
  measureRoom();
  const watch = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const own = [...entry.target.querySelectorAll(".maps")].map((holder) => holder.grid);
        // One after the other, since the order of maps is the first column's.
        if (entry.isIntersecting) own.reduce((before, grid) => before.then(() => grid.show()), Promise.resolve()).catch(source.lost);
        else own.forEach((grid) => grid.hide());
      }
    },
    { rootMargin: `${NEAR} 0px` },
  );
  for (const section of document.querySelectorAll("section.layer")) {
    const row = Number(section.dataset.row);
    for (const holder of section.querySelectorAll(".maps")) {
      const column = Number(holder.parentElement.dataset.column);
      holder.grid = new Grid(holder, row, column);
      grids.set(`${row}-${column}`, holder.grid);
    }
    watch.observe(section);
  }
  onChange(() => {
    for (const grid of grids.values()) {
      if (grid.wanted && grid.values) grid.build();
      else grid.reserve();
    }
  });
  window.addEventListener("resize", () => {
    measureRoom();
    for (const grid of grids.values()) if (grid.redraw) grid.redraw();
  });
}
