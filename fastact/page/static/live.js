// A page that is served: another frame of the tub at any time.

import { page, byId } from "./basics.js";
import { addressedFrame, remember } from "./address.js";
import { source } from "./packed.js";
import { reloadGrids } from "./grid.js";
import { reloadStage } from "./stage.js";

let frame = page.live ? addressedFrame() ?? page.live.start : 0;
let waiting = null; // the frame to go to once the one being fetched is there

export async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer;
}

async function showFrame(number) {
  const told = await (await fetched(`frames/${number}`)).json();
  frame = number;
  byId("stage-frame").textContent = `frame ${number + 1}`;
  remember({ frame: number === page.live.start ? null : number + 1 });
  byId("frame-name").textContent = told.name;
  told.columns.forEach((input, column) => {
    page.columns[column].input = input;
    const figure = document.querySelector(`.looking figure[data-column="${column}"]`);
    figure.querySelector("img").src = input.addresses.at(-1);
    figure.querySelector(".fed").textContent = input.title;
  });
  await Promise.all([reloadGrids(), reloadStage()]);
}

function say(number, error) {
  byId("frame-name").textContent = `frame ${number + 1}: ${error.message}`;
}

// One frame at a time; of those asked for meanwhile, the last.
async function goFrame(number) {
  const busy = waiting !== null;
  waiting = number;
  if (busy) return;
  while (waiting !== null) {
    const next = waiting;
    try {
      await showFrame(next);
    } catch (error) {
      say(next, error);
    }
    if (waiting === next) waiting = null;
  }
}

function turnTo(number) {
  const slider = byId("frame");
  slider.value = number;
  goFrame(slider.valueAsNumber);
}

export function stepFrame(by) {
  if (page.live) turnTo(byId("frame").valueAsNumber + by);
}

export function startLive() {
  if (!page.live) return;
  source.values = async (column, place) => {
    for (;;) {
      const asked = frame;
      const answer = await fetched(`frames/${asked}/maps/${column}/${place}`);
      const values = new Float32Array(await answer.arrayBuffer());
      if (asked === frame) return values; // else another frame is shown by now
    }
  };
  source.lost = (error) => say(frame, error);
  byId("frame").addEventListener("input", (event) => goFrame(Number(event.target.value)));
  byId("back").addEventListener("click", () => stepFrame(-1));
  byId("forth").addEventListener("click", () => stepFrame(1));
  byId("stage-frame-back").addEventListener("click", () => stepFrame(-1));
  byId("stage-frame-forth").addEventListener("click", () => stepFrame(1));
  byId("stage-known").addEventListener("click", (event) => {
    const button = event.target.closest("[data-frame]");
    if (button) turnTo(Number(button.dataset.frame));
  });
  byId("live").addEventListener("submit", (event) => event.preventDefault());
  turnTo(frame);
}
