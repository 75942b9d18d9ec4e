// What many frames of a tub say of a filter: figures, a histogram, and the places that excite it most.

import { page, make, makeSvg, layersOf } from "./basics.js";
import { drawField } from "./reading.js";

// What is known of a layer's filters; null without a tub.
export function knownOf(column, layer) {
  const told = page.columns[column].statistics;
  return (layer && told?.layers[layer.name]) ?? null;
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

function thumbnail(peak, told) {
  const address = told.pictures[peak.record];
  const caption = make("figcaption", { className: "dim" }, `${peak.value.replace("-", "−")} in record ${peak.record}`);
  if (!address) return make("figure", { className: "peak" }, caption);
  const picture = make("div", { className: "picture" }, make("img", { src: address, alt: `Record ${peak.record}` }));
  if (peak.field && told.size) {
    const svg = makeSvg("svg", { viewBox: `0 0 ${told.size[1]} ${told.size[0]}`, "aria-hidden": "true" });
    svg.setAttribute("preserveAspectRatio", "none");
    for (const name of ["field under", "field"]) svg.append(makeSvg("rect", { class: name }));
    drawField(svg, peak.field);
    picture.append(svg);
  }
  return make("figure", { className: "peak" }, picture, caption);
}

// All of it for one filter, in an element.
export function showStatistics(element, column, layer, filter) {
  const known = knownOf(column, layer);
  const figures = known?.filters[filter];
  element.replaceChildren();
  element.hidden = !figures;
  if (!figures) return;
  const told = page.columns[column].statistics;
  element.append(make("p", {}, `Over ${told.frames.toLocaleString("en")} frames: ${figures.words.replace(/-/g, "−")}.`));
  const row = make("div", { className: "peaks" });
  if (figures.histogram.some((count) => count > 0)) row.append(histogram(figures.histogram, known.ends));
  row.append(...figures.peaks.map((peak) => thumbnail(peak, told)));
  element.append(row);
}
