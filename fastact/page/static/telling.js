// Statistics of a page that is served: they are gathered meanwhile, and asked for until they are complete.

import { page, byId } from "./basics.js";
import { redraw } from "./settings.js";
import { showLayerStatistics } from "./statistics.js";
import { fetched } from "./live.js";

const PAUSE = 1000;
const LONG_PAUSE = 10000; // where the server does not answer

async function take() {
  for (const [number, column] of page.columns.entries()) {
    const answer = await fetch(`statistics/${number}`);
    if (answer.ok) column.statistics = await answer.json();
  }
  showLayerStatistics();
  redraw();
}

function tell({ frames, of, ended, failures }) {
  const words = page.columns.map(({ label, statistics }) => statistics && { label, words: statistics.words }).filter(Boolean);
  const alike = new Set(words.map((each) => each.words)).size === 1;
  const said = new Set(words.map((each) => (alike ? each.words : `${each.label}: ${each.words}`)));
  if (!ended) said.add(`${frames.toLocaleString("en")} of ${of.toLocaleString("en")} frames are counted.`);
  for (const failure of failures) said.add(`No statistics: ${failure}.`);
  byId("told").textContent = [...said].join(" ");
}

export async function startTelling() {
  if (!page.live?.told) return;
  let edition = 0;
  for (let ended = false; !ended; ) {
    let pause = PAUSE;
    try {
      const told = await (await fetched("statistics")).json();
      if (told.edition !== edition) await take();
      ({ edition, ended } = told);
      tell(told);
    } catch {
      pause = LONG_PAUSE;
    }
    if (!ended) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
