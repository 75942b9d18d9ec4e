// The list of layers with the lines between them: search, choose, go to.

import { page, byId, makeSvg, layersOf } from "./basics.js";
import { remember } from "./address.js";

const STEP = 10; // pixels from lane to lane
const LONG = 400; // pixels, more than a row is high: what is too much is cut off
const ROOM = 60; // pixels beyond the entry of the layer that is looked at
const MOST = 7; // lanes drawn; a network with more has its outer ones left out

const items = () => [...byId("list").children];

function drawLane(svg, lane) {
  const x = (n) => 8 + STEP * Math.min(n, MOST);
  const most = Math.min(MOST, Math.max(lane.at ?? 0, ...lane.into, ...lane.through));
  const middle = 16;
  svg.style.width = `${16 + STEP * most}px`;
  svg.parentElement.style.setProperty("--lanes", `${16 + STEP * most}px`);
  const line = (d) => svg.append(makeSvg("path", { d }));
  for (const n of lane.through) line(`M${x(n)} 0V${LONG}`);
  for (const n of lane.into) {
    line(n === lane.at ? `M${x(n)} 0V${middle}` : `M${x(n)} 0C${x(n)} ${middle} ${x(lane.at)} 0 ${x(lane.at)} ${middle}`);
  }
  if (lane.at === null) return;
  if (lane.on) line(`M${x(lane.at)} ${middle}V${LONG}`);
  svg.append(makeSvg("circle", { cx: x(lane.at), cy: middle, r: 3.5 }));
}

const sectionOf = (item) => byId(`layer-${item.dataset.row}`);

function shows(item) {
  const box = item.querySelector("input");
  return !item.hidden && (!box || box.checked);
}

function apply() {
  for (const item of items()) {
    const section = sectionOf(item);
    if (section) section.hidden = !shows(item);
  }
}

function search() {
  const text = byId("search").value.trim().toLowerCase();
  let found = 0;
  for (const item of items()) {
    const layers = layersOf(Number(item.dataset.row)).filter(Boolean);
    item.hidden = !layers.some((layer) => `${layer.name} ${layer.kind}`.toLowerCase().includes(text));
    if (!item.hidden) found += 1;
  }
  byId("found").textContent = text ? `${found} of ${page.rows.length}` : "";
  apply();
}

function check(on) {
  for (const item of items()) {
    const box = item.querySelector("input");
    if (box && !item.hidden) box.checked = on;
  }
  apply();
}

const NARROW = "(max-width: 1099px)";

// Pixels at the top of the window that parts of the page cover as one scrolls: the header, the header with the slider,
// and, in a narrow window, both with the picture.
function covered() {
  const high = (selector) => {
    const element = document.querySelector(selector);
    return element && getComputedStyle(element).position === "sticky" ? element.offsetHeight : 0;
  };
  const header = high("header.top");
  const top = header + high(".live");
  return { header, top, covered: top + (window.matchMedia(NARROW).matches ? high(".looking") : 0) };
}

function makeRoomAtTheTop() {
  const tell = () => {
    for (const [name, size] of Object.entries(covered())) document.documentElement.style.setProperty(`--${name}`, `${size}px`);
  };
  const watch = new ResizeObserver(tell);
  for (const element of document.querySelectorAll("header.top, .live, .looking")) watch.observe(element);
}

// Which of the sections is looked at: the one with the focus if it is in sight, since the last ones cannot be scrolled to
// the top; else the one at the top.
function lookedAt(sections) {
  const line = covered().covered + 24;
  const focused = sections.indexOf(document.activeElement.closest("section.layer"));
  const box = sections[focused]?.getBoundingClientRect();
  if (box && box.top < window.innerHeight && box.bottom > line) return focused;
  return sections.findLastIndex((section) => section.getBoundingClientRect().top <= line);
}

// The next or previous layer that is shown.
export function goLayer(by) {
  const sections = [...document.querySelectorAll("section.layer:not([hidden])")];
  if (!sections.length) return;
  const here = lookedAt(sections);
  const target = sections[Math.min(Math.max(here + by, 0), sections.length - 1)];
  target.scrollIntoView({ block: "start" });
  const tile = target.querySelector('[tabindex="0"]');
  if (!tile) target.tabIndex = -1; // its maps are not drawn yet: the next key starts from here all the same
  (tile ?? target).focus({ preventScroll: true });
  remember({ layer: Number(target.dataset.row) });
}

// Scrolls the list, and nothing else, so that a layer's entry can be seen; not under the pointer's or the keyboard's hand.
function reveal(item) {
  const list = byId("network");
  if (list.matches(":hover, :focus-within")) return;
  const [box, at] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
  if (at.top < box.top) list.scrollTop -= box.top - at.top + ROOM;
  else if (at.bottom > box.bottom) list.scrollTop += at.bottom - box.bottom + ROOM;
}

// Marks the layer that is being looked at.
function follow() {
  const watch = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const item = byId("list").querySelector(`[data-row="${entry.target.dataset.row}"]`);
        const link = item?.querySelector("a");
        if (!entry.isIntersecting) link?.removeAttribute("aria-current");
        else if (link) {
          link.setAttribute("aria-current", "true");
          reveal(item);
        }
      }
    },
    { rootMargin: "-30% 0px -60% 0px" },
  );
  for (const section of document.querySelectorAll("section.layer")) watch.observe(section);
}

export function startNetwork() {
  let lane = { through: [] };
  for (const item of items()) {
    const place = page.rows[item.dataset.row][0];
    // Lines pass by a layer that only the other column has.
    const passing = lane.on ? [...lane.through, lane.at] : lane.through;
    lane = place === null ? { at: null, into: [], through: passing, on: false } : page.columns[0].layers[place].lane;
    drawLane(item.querySelector("svg"), lane);
  }
  byId("search").addEventListener("input", search);
  byId("all").addEventListener("click", () => check(true));
  byId("none").addEventListener("click", () => check(false));
  byId("list").addEventListener("change", apply);
  if (window.matchMedia(NARROW).matches) byId("network").open = false;
  follow();
  makeRoomAtTheTop();
}
