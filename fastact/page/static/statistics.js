// What many frames of a tub say of a filter: figures, a histogram, and the places that excite it most.

import { page, make, makeSvg, layersOf } from "./basics.js";
import { drawField } from "./reading.js";

// What is known of a layer's filters; null without a tub.
export function knownOf(column, layer) {
  const told = page.columns[column].statistics;
  return layer && told && Object.hasOwn(told.layers, layer.name) ? told.layers[layer.name] : null;
}

// What is said of each layer, above its maps and in the list: which filters are dead or alike, over how many frames.
export function showLayerStatistics() {
  page.rows.forEach((places, row) => {
    const item = document.querySelector(`#list [data-row="${row}"] .dim`);
    item?.querySelector(".verdict")?.remove();
    layersOf(row).forEach((layer, column) => {
      const known = knownOf(column, layer);
      const said = document.querySelector(`#layer-${row} .column[data-column="${column}"] .known`);
      if (!known || !said) return;
      said.textContent = known.words;
      said.hidden = false;
      const dead = known.filters.filter((filter) => isDead(filter.verdict)).length;
      if (!dead || column > 0) return;
      const title = `over ${page.columns[column].statistics.frames.toLocaleString("en")} frames`;
      item?.append(make("span", { className: "verdict", title }, `${dead} dead or nearly`));
    });
  });
}

export const isDead = (verdict) => verdict === "dead" || verdict === "nearly dead";

function histogram(counts, ends) {
  const svg = makeSvg("svg", { class: "histogram", viewBox: `0 0 ${counts.length} 40`, preserveAspectRatio: "none" });
  const most = Math.max(1, ...counts);
  counts.forEach((count, i) => {
    const height = count ? Math.max(40 * (count / most), 0.7) : 0;
    svg.append(makeSvg("rect", { x: i + 0.08, y: 40 - height, width: 0.84, height }));
  });
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Histogram of the values that are not zero");
  const caption = ends ? `values other than zero, ${ends[0]} to ${ends[1]} on a logarithmic scale`
    : "values other than zero";
  return make("figure", {}, svg, make("figcaption", { className: "dim" }, caption.replace(/-/g, "−")));
}

// A peak's picture; where the page is served, a button that leads to the frame, which live.js sees to.
function thumbnail(peak, told) {
  const address = told.pictures[peak.record];
  const caption = make("figcaption", { className: "dim" }, `${peak.value.replace("-", "−")} in record ${peak.record}`);
  if (!address) return make("figure", { className: "peak" }, caption);
  const picture = make("span", { className: "picture" }, make("img", { src: address, alt: `Record ${peak.record}` }));
  if (peak.field && told.size) {
    const svg = makeSvg("svg", { viewBox: `0 0 ${told.size[1]} ${told.size[0]}`, "aria-hidden": "true" });
    svg.setAttribute("preserveAspectRatio", "none");
    for (const name of ["field under", "field"]) svg.append(makeSvg("rect", { class: name }));
    drawField(svg, peak.field);
    picture.append(svg);
  }
  const number = told.places[peak.record];
  if (number === undefined) return make("figure", { className: "peak" }, picture, caption);
  const title = `Show frame ${number + 1}`;
  const button = make("button", { type: "button", className: "go", "data-frame": number, title, "aria-label": title }, picture);
  return make("figure", { className: "peak" }, button, caption);
}

// All of it for one filter, in an element: for each scene that has statistics, with its name where there are several.
export function showStatistics(element, scenes, plane) {
  const known = scenes.map(({ column, layer }) => ({ column, known: knownOf(column, layer), filter: plane % layer.maps.filters }));
  const parts = known.filter((each) => each.known);
  const figures = parts.map((each) => each.known.filters[each.filter]);
  if (element.figures?.length === figures.length && figures.every((each, i) => each === element.figures[i])) return;
  element.figures = figures; // the same as shown already: whatever has the focus keeps it
  element.hidden = !figures.length;
  element.replaceChildren(...parts.flatMap((each, i) => figuresOf(each.column, each.known, figures[i], scenes.length > 1)));
}

function figuresOf(column, known, figures, named) {
  const { statistics: told, label } = page.columns[column];
  const over = `${named ? `${label}, over` : "Over"} ${told.frames.toLocaleString("en")} frames`;
  const row = make("div", { className: "peaks" });
  if (figures.histogram.some((count) => count > 0)) row.append(histogram(figures.histogram, known.ends));
  row.append(...figures.peaks.map((peak) => thumbnail(peak, told)));
  return [make("p", {}, `${over}: ${figures.words.replace(/-/g, "−")}.`), row];
}
