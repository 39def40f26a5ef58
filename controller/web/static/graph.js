// Small pictures of numbers, in SVG.

import { s } from "./dom.js";

const WIDTH = 100;
const HEIGHT = 24;

/** A share from 0 to 1 as a bar. */
export function bar(share, label) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return s(
    "svg",
    { class: "bar", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("rect", { class: "rail", width: 100, height: 6, rx: 1 }),
    width > 0 && s("rect", { class: "fill", width, height: 6, rx: 1 }),
  );
}

/** How many places a line has: it grows with what was gathered, so that a young page doesn't look empty. */
export const slotsFor = (values) => Math.max(16, values.length);

/** Values over time as a line. It fills from the right; the height is the largest value seen, but at least `atLeast`. */
export function spark(values, { atLeast, label, slots }) {
  const top = Math.max(atLeast, ...values) * 1.1;
  const x = (at) => WIDTH - ((values.length - 1 - at) / (slots - 1)) * WIDTH;
  const y = (value) => HEIGHT - 1 - (value / top) * (HEIGHT - 3);
  const points = values.map((value, at) => `${x(at).toFixed(2)},${y(value).toFixed(2)}`);
  const floor = s("path", { class: "floor", d: `M0 ${HEIGHT - 0.5}H${WIDTH}` });
  const trace = points.length > 1 && [
    s("path", { class: "area", d: `M${x(0).toFixed(2)},${HEIGHT - 1}L${points.join("L")}L${WIDTH},${HEIGHT - 1}Z` }),
    s("path", { class: "line", d: `M${points.join("L")}` }),
  ];
  const box = { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return s("svg", box, floor, trace);
}
