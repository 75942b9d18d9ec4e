// One filter, enlarged over the picture, in every column.

import { page, byId, make, makeSvg, clamp, layersOf, mapName, pictureOf } from "./basics.js";
import { source, measured } from "./packed.js";
import { paint, scale } from "./colours.js";
import { settings, onChange, endsOf } from "./settings.js";
import { showStatistics } from "./statistics.js";
import { sees, seesInWords, drawField, valueInWords, measureInWords, keep } from "./reading.js";
import { remember } from "./address.js";

// The row and the map that are enlarged, a scene a column, the one with the cell that is looked at, and what had the focus.
const stage = { row: 0, plane: 0, scenes: [], looked: null, back: null };

export async function openStage(row, plane, back) {
  const scenes = [];
  Object.assign(stage, { row, plane, back, scenes, looked: null });
  for (const [column, layer] of layersOf(row).entries()) {
    if (!layer?.maps || layer.maps.vector) continue;
    const values = await source.values(column, page.rows[row][column]);
    scenes.push(scene(column, layer, values));
  }
  if (scenes !== stage.scenes) return; // another map was opened meanwhile
  byId("stage").querySelector(".scenes").replaceChildren(...stage.scenes.map((each) => each.figure));
  byId("stage").style.setProperty("--across", stage.scenes.reduce((sum, { size }) => sum + size[0] / size[1], 0));
  byId("stage").showModal();
  show();
  having()[0].box.focus();
}

// The scenes that have a map of the number that is shown: one model may have more filters than the other.
const having = () => stage.scenes.filter((made) => stage.plane < made.layer.maps.count);

// The picture, the map over it, and what a cell sees.
function scene(column, layer, values) {
  const { input } = page.columns[column];
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
  const caption = make("figcaption", { className: "dim" });
  const figure = make("figure", {}, box, legend, caption);
  figure.style.setProperty("--wide", size[0] / size[1]);
  const made = { column, layer, values, size, place, canvas, image, svg, box, legend, caption, figure, cell: null };
  box.addEventListener("pointermove", (event) => point(made, event));
  box.addEventListener("pointerdown", (event) => point(made, event));
  box.addEventListener("keydown", (event) => moveCell(made, event));
  return made;
}

function point(made, event) {
  const box = made.box.getBoundingClientRect();
  const found = cellAt(made, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  if (found) look(made, ...found);
}

// Row and column of the cell that is drawn at a place in the picture, from 0 to 1 across and down; null beside the map.
function cellAt(made, across, down) {
  const { width, height } = made.layer.maps;
  const [left, top, wide, high] = made.place;
  const cell = Math.floor(((across * made.size[0] - left) / wide) * width);
  const row = Math.floor(((down * made.size[1] - top) / high) * height);
  return cell >= 0 && row >= 0 && cell < width && row < height ? [row, cell] : null;
}

// The place in the picture of a cell's middle.
function middleOf(made, row, cell) {
  const [left, top, wide, high] = made.place;
  const { width, height } = made.layer.maps;
  return [(left + ((cell + 0.5) / width) * wide) / made.size[0], (top + ((row + 0.5) / height) * high) / made.size[1]];
}

function moveCell(made, event) {
  const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!by) return;
  event.preventDefault();
  const { width, height } = made.layer.maps;
  const [row, cell] = made.cell ?? [Math.floor(height / 2) - by[0], Math.floor(width / 2) - by[1]];
  look(made, clamp(row + by[0], 0, height - 1), clamp(cell + by[1], 0, width - 1));
}

// The value of a cell and what it sees; in the other column, of the cell at the same place of the picture.
function look(made, row, cell) {
  made.cell = [row, cell];
  for (const other of having()) if (other !== made) other.cell = cellAt(other, ...middleOf(made, row, cell));
  stage.looked = made;
  having().forEach(mark);
  sayValues(made);
}

const valueAt = (made, row, cell) => {
  const { width, height } = made.layer.maps;
  return made.values[(stage.plane * height + row) * width + cell];
};

// In each column the value, and in words what the cell that is pointed at sees.
function sayValues(made) {
  const [row, cell] = made.cell;
  const { layer, column } = made;
  const seen = seesInWords(sees(column, layer, row, cell)) || "sees the whole picture";
  const where = `column ${cell}, row ${row}`;
  const several = stage.scenes.length > 1;
  byId("stage-sees").textContent = `${several ? `${page.columns[column].label}, ${where}` : where} ${seen}`;
  const values = having().map((each) => {
    const text = each.cell ? valueInWords(each.layer.maps, valueAt(each, ...each.cell)) : "nothing here";
    const label = make("small", {}, page.columns[each.column].label);
    return several ? make("span", { className: "of-column" }, label, text) : text;
  });
  byId("stage-value").replaceChildren(...values);
  keep({ layer, plane: stage.plane, row, cell, value: valueAt(made, row, cell) });
}

// Draws a scene's cell and its receptive field.
function mark(made) {
  const { layer, column, place, svg } = made;
  const cursor = svg.querySelector(".cell");
  cursor.toggleAttribute("hidden", !made.cell);
  if (!made.cell) {
    drawField(svg, null);
    return;
  }
  const [row, cell] = made.cell;
  const { width, height } = layer.maps;
  drawField(svg, page.columns[column].input?.addresses.length ? sees(column, layer, row, cell) : null);
  const [across, down] = [place[2] / width, place[3] / height];
  cursor.setAttribute("x", place[0] + cell * across);
  cursor.setAttribute("y", place[1] + row * down);
  cursor.setAttribute("width", across);
  cursor.setAttribute("height", down);
}

function show() {
  const [first] = having();
  byId("stage-title").textContent = `${first.layer.name}, ${mapName(first.layer.maps, stage.plane)}`;
  showStatistics(byId("stage-known"), having(), stage.plane);
  for (const made of stage.scenes) {
    const { maps } = made.layer;
    made.figure.hidden = stage.plane >= maps.count;
    if (made.figure.hidden) continue;
    const cells = maps.width * maps.height;
    const values = made.values.subarray(stage.plane * cells, (stage.plane + 1) * cells);
    const [measure] = measured(values, 1);
    const [low, high] = endsOf(maps, measure);
    paint(made.canvas, values, maps.width, maps.height, low, high, settings.colours);
    made.image.src = pictureOf(made.column, maps, stage.plane) ?? "data:,";
    scale(made.legend, low, high, settings.colours);
    made.caption.textContent = (page.columns.length > 1 ? `${page.columns[made.column].label}: ` : "") + measureInWords(measure);
  }
  if (stage.looked && !stage.looked.figure.hidden) look(stage.looked, ...stage.looked.cell);
  else {
    byId("stage-value").textContent = "";
    const touched = window.matchMedia("(hover: none)").matches;
    byId("stage-sees").textContent = touched ? "Touch a cell." : "Point at a cell, or use the arrow keys.";
  }
  remember({ layer: stage.row, filter: stage.plane });
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
  const count = Math.max(...stage.scenes.map((made) => made.layer.maps.count));
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
    remember({ filter: null });
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
