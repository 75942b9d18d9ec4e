// Puts the parts together, and the keys that work everywhere.

import { byId } from "./basics.js";
import { startSettings, turn } from "./settings.js";
import { startGrids } from "./grid.js";
import { startStage, openStage } from "./stage.js";
import { source } from "./packed.js";
import { addressed } from "./address.js";
import { startCopying } from "./reading.js";
import { startNetwork, goLayer } from "./network.js";
import { startLive, stepFrame } from "./live.js";
import { startTelling } from "./telling.js";
import { showLayerStatistics } from "./statistics.js";

const keys = {
  "/": () => {
    byId("network").open = true;
    byId("search").focus();
  },
  j: () => goLayer(1),
  k: () => goLayer(-1),
  z: () => turn("norm"),
  c: () => turn("colours"),
  s: () => turn("order"),
  ",": () => stepFrame(-1),
  ".": () => stepFrame(1),
  "?": () => byId("help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea") && event.target.type !== "checkbox" && event.target.type !== "range") {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const open = document.querySelector("dialog[open]");
  if (open && !["z", "c", ",", "."].includes(event.key)) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());

function goToAddress() {
  const { row, plane } = addressed();
  if (row !== null) byId(`layer-${row}`)?.scrollIntoView();
  if (plane !== null) openStage(row, plane).catch(source.lost);
}

startNetwork();
startLive();
startGrids();
startStage();
startSettings();
showLayerStatistics();
startTelling();
startCopying();
goToAddress();
document.documentElement.dataset.ready = "yes";
