// One filter, enlarged over the picture, in every column.

import { page, byId, make, makeSvg, clamp, layersOf, mapName, pictureOf, brief, percent } from "./basics.js";
import { source, measured } from "./packed.js";
import { paint, scale } from "./colours.js";
import { settings, onChange, endsOf } from "./settings.js";
import { showStatistics } from "./statistics.js";
import { sees, seesInWords, drawField, valueInWords } from "./reading.js";

const stage = { row: 0, plane: 0, scenes: [], back: null };

export async function openStage(row, plane, back) {
  Object.assign(stage, { row, plane, back });
  const layers = layersOf(row);
  stage.scenes = [];
  for (const [column, layer] of layers.entries()) {
    if (!layer?.maps || layer.maps.vector) continue;
    const values = await source.values(column, page.rows[row][column]);
    stage.scenes.push(scene(column, layer, values));
  }
  byId("stage").querySelector(".scenes").replaceChildren(...stage.scenes.map((each) => each.figure));
  byId("stage").showModal();
  show();
  stage.scenes[0].box.focus();
}

// The picture, the map over it, and what a cell sees.
function scene(column, layer, values) {
  const { input, label } = page.columns[column];
  const { width, height } = layer.maps;
  const size = input?.addresses.length ? [input.width, input.height] : [width, height];
  const canvas = make("canvas", { className: "crisp" });
  const svg = makeSvg("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, "aria-hidden": "true" });
  for (const name of ["field under", "field", "cell"]) svg.append(makeSvg("rect", { class: name, hidden: "" }));
  const box = make("div", { className: "picture", tabIndex: 0, role: "application" }, canvas, svg);
  box.setAttribute("aria-label", "The map; arrow keys go from cell to cell");
  box.style.setProperty("--ratio", `${size[0]} / ${size[1]}`);
  const image = make("img", { alt: "" });
  if (input?.addresses.length) box.prepend(image);
  const place = layer.field?.place ?? [0, 0, ...size];
  canvas.style.left = `${(100 * place[0]) / size[0]}%`;
  canvas.style.top = `${(100 * place[1]) / size[1]}%`;
  canvas.style.width = `${(100 * place[2]) / size[0]}%`;
  canvas.style.height = `${(100 * place[3]) / size[1]}%`;
  const legend = make("p", { className: "scale" });
  const figure = make("figure", {}, box, legend);
  figure.style.setProperty("--wide", size[0] / size[1]);
  if (page.columns.length > 1) legend.before(make("figcaption", {}, label));
  const made = { column, layer, values, size, place, canvas, image, svg, box, legend, figure, cell: null };
  box.addEventListener("pointermove", (event) => point(made, event));
  box.addEventListener("pointerdown", (event) => point(made, event));
  box.addEventListener("keydown", (event) => moveCell(made, event));
  return made;
}

function point(made, event) {
  const box = made.box.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * made.size[0];
  const y = ((event.clientY - box.top) / box.height) * made.size[1];
  const { width, height } = made.layer.maps;
  const [left, top, wide, high] = made.place;
  const cell = Math.floor(((x - left) / wide) * width);
  const row = Math.floor(((y - top) / high) * height);
  if (cell >= 0 && row >= 0 && cell < width && row < height) look(made, row, cell);
}

function moveCell(made, event) {
  const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!by) return;
  event.preventDefault();
  const { width, height } = made.layer.maps;
  const [row, cell] = made.cell ?? [Math.floor(height / 2) - by[0], Math.floor(width / 2) - by[1]];
  look(made, clamp(row + by[0], 0, height - 1), clamp(cell + by[1], 0, width - 1));
}

// The value of a cell and what it sees.
function look(made, row, cell) {
  made.cell = [row, cell];
  const { layer, column, place, svg } = made;
  const { width, height } = layer.maps;
  const rectangle = sees(column, layer, row, cell);
  drawField(svg, page.columns[column].input?.addresses.length ? rectangle : null);
  const [across, down] = [place[2] / width, place[3] / height];
  const mark = svg.querySelector(".cell");
  mark.removeAttribute("hidden");
  mark.setAttribute("x", place[0] + cell * across);
  mark.setAttribute("y", place[1] + row * down);
  mark.setAttribute("width", across);
  mark.setAttribute("height", down);
  const value = made.values[(stage.plane * height + row) * width + cell];
  byId("stage-value").textContent = valueInWords(layer.maps, value);
  const where = `column ${cell}, row ${row}`;
  const at = page.columns.length > 1 ? `${page.columns[column].label}, ${where}` : where;
  byId("stage-sees").textContent = `${at} ${seesInWords(rectangle) || "sees the whole picture"}`;
}

function show() {
  const [first] = stage.scenes;
  byId("stage-title").textContent = `${first.layer.name}, ${mapName(first.layer.maps, stage.plane)}`;
  showStatistics(byId("stage-known"), first.column, first.layer, stage.plane % first.layer.maps.filters);
  for (const made of stage.scenes) {
    const { maps } = made.layer;
    const cells = maps.width * maps.height;
    const values = made.values.subarray(stage.plane * cells, (stage.plane + 1) * cells);
    const [measure] = measured(values, 1);
    const [low, high] = endsOf(maps, measure);
    paint(made.canvas, values, maps.width, maps.height, low, high, settings.colours);
    made.image.src = pictureOf(made.column, maps, stage.plane) ?? "data:,";
    scale(made.legend, low, high, settings.colours);
    if (made === first) {
      byId("stage-value").textContent = `${brief(measure.low)} to ${brief(measure.high)}`;
      byId("stage-sees").textContent = `mean ${brief(measure.mean)}, ${percent(measure.zeros)} zeros. `
        + "Point at a cell, or use the arrow keys.";
    }
    if (made.cell) look(made, ...made.cell);
  }
}

// Another frame's values.
export async function reloadStage() {
  const { scenes, row } = stage;
  const all = await Promise.all(scenes.map((made) => source.values(made.column, page.rows[row][made.column])));
  if (scenes !== stage.scenes) return; // closed meanwhile, or another map was opened
  scenes.forEach((made, i) => (made.values = all[i]));
  if (scenes.length) show();
}

function turnFilter(by) {
  const { count } = stage.scenes[0].layer.maps;
  stage.plane = (stage.plane + by + count) % count;
  show();
}

function fade(to) {
  byId("opacity").value = to;
  byId("stage").style.setProperty("--opacity", to / 100);
}

export function startStage() {
  const dialog = byId("stage");
  byId("stage-back").addEventListener("click", () => turnFilter(-1));
  byId("stage-forth").addEventListener("click", () => turnFilter(1));
  byId("stage-close").addEventListener("click", () => dialog.close());
  byId("opacity").addEventListener("input", () => fade(byId("opacity").value));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    stage.scenes = [];
    const [row, plane] = [stage.row, stage.plane];
    const tile = document.querySelector(`#layer-${row} [data-plane="${plane}"]`) ?? stage.back;
    tile?.focus();
  });
  dialog.addEventListener("keydown", (event) => {
    const act = {
      n: () => turnFilter(1),
      p: () => turnFilter(-1),
      o: () => fade({ 100: 75, 75: 0, 0: 100 }[byId("opacity").value] ?? 75),
    }[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) act();
  });
  onChange(() => dialog.open && show());
  fade(75);
}
