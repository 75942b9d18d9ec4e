// From packed bytes to values. fastact/page/packing.py says how they are packed.

import { page, byId } from "./basics.js";

const STEPS = { 16: 65532, 8: 252 };

// Where maps come from: out of the page, or, where it is served, from its server. live.js puts its own in here,
// and says when they cannot be had.
export const source = {
  async values(column, place) {
    const maps = page.columns[column].layers[place].maps;
    const bytes = await inflated(byId(`maps-${column}-${place}`).textContent);
    return maps.bits === 32 ? floats(bytes) : dequantised(bytes, maps);
  },
  lost(error) {
    throw error;
  },
};

async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Four bytes a value, all first bytes first.
function floats(bytes) {
  const count = bytes.length / 4;
  const together = new Uint8Array(bytes.length);
  for (let part = 0; part < 4; part += 1) {
    const from = part * count;
    for (let i = 0; i < count; i += 1) together[4 * i + part] = bytes[from + i];
  }
  return new Float32Array(together.buffer);
}

function dequantised(bytes, maps) {
  const steps = STEPS[maps.bits];
  const cells = maps.height * maps.width;
  const count = maps.count * cells;
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    const code = maps.bits === 16 ? bytes[i] + 256 * bytes[count + i] : bytes[i];
    const plane = Math.floor(i / cells);
    const [low, high] = [maps.lows[plane], maps.highs[plane]];
    if (code > steps) values[i] = [NaN, -Infinity, Infinity][code - steps - 1];
    else if (code > 0) values[i] = low + ((code - 1) / (steps - 1)) * (high - low);
  }
  return values;
}

// Each map's mean, ends and share of zeros; what is not a number is left out of the first three.
export function measured(values, count) {
  const cells = values.length / count;
  return Array.from({ length: count }, (_, plane) => {
    let [low, high, sum, finite, zeros] = [Infinity, -Infinity, 0, 0, 0];
    for (let i = plane * cells; i < (plane + 1) * cells; i += 1) {
      const value = values[i];
      if (value === 0) zeros += 1;
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      sum += value;
      finite += 1;
    }
    if (!finite) [low, high] = [NaN, NaN];
    return { low, high, mean: finite ? sum / finite : NaN, zeros: zeros / cells, bad: cells - finite };
  });
}
