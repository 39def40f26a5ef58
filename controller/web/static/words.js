// The words of the fleet, each with a shape of its own, so that no state rests on its colour alone.

import { s } from "./dom.js";

export const STATUSES = ["online", "degraded", "stale", "offline", "unknown"];

export const WORD = { online: "Online", degraded: "Degraded", stale: "Stale", offline: "Offline", unknown: "Unknown" };

const cut = { fill: "none", stroke: "var(--card)", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" };
const solid = { fill: "currentColor" };
const open = { fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" };

const SHAPES = {
  online: () => [s("circle", { cx: 7, cy: 7, r: 6.5, ...solid }), s("path", { d: "m4.2 7.2 2 2 3.7-4.2", ...cut })],
  degraded: () => [s("path", { d: "M7 1.2 13.4 12.6H.6z", ...solid, stroke: "currentColor", "stroke-width": 1, "stroke-linejoin": "round" }), s("path", { d: "M7 5.4v3.2M7 10.7v.01", ...cut })],
  stale: () => [s("circle", { cx: 7, cy: 7, r: 5.8, ...open, "stroke-dasharray": "2.6 2.4" }), s("path", { d: "M7 4.2V7l1.8 1.2", ...open, "stroke-width": 1.4 })],
  offline: () => [s("rect", { x: 0.9, y: 0.9, width: 12.2, height: 12.2, rx: 2.6, ...solid }), s("path", { d: "m4.7 4.7 4.6 4.6m0-4.6-4.6 4.6", ...cut })],
  unknown: () => [s("path", { d: "M7 1 13 7l-6 6-6-6z", ...open }), s("path", { d: "M7 7v.01", ...open, "stroke-width": 2 })],
  busy: () => [s("path", { d: "M12.3 7A5.3 5.3 0 1 1 9 2.1", ...open }), s("path", { d: "M9 .6v2.8h2.8", ...open, "stroke-width": 1.3 })],
  stopped: () => [s("circle", { cx: 7, cy: 7, r: 5.7, ...open }), s("path", { d: "M4.8 7h4.4", ...open })],
};

/** A shape by its name, in the colour of the text around it. */
export function glyph(name) {
  return s("svg", { class: "glyph", viewBox: "0 0 14 14", "aria-hidden": "true" }, SHAPES[name]());
}

const APP = {
  running: ["online", "running"],
  starting: ["busy", "starting"],
  deploying: ["busy", "deploying"],
  stopped: ["stopped", "stopped"],
  unhealthy: ["degraded", "unhealthy"],
  backing_off: ["degraded", "backing off"],
  failed: ["offline", "failed"],
};
const APP_TONE = { online: "is-online", busy: "is-stale", stopped: "is-unknown", degraded: "is-degraded", offline: "is-offline" };

/** How an app stands: shape, word and tone. */
export function appWord(app) {
  const [shape, word] = APP[app.status] ?? ["unknown", app.state || app.status];
  return { shape, word, tone: APP_TONE[shape] ?? "is-unknown" };
}

const PHASE = {
  succeeded: ["online", "is-online"],
  failed: ["offline", "is-offline"],
  rejected: ["offline", "is-offline"],
  expired: ["stale", "is-stale"],
  cancelled: ["stopped", "is-unknown"],
  superseded: ["stopped", "is-unknown"],
};

/** How a phase of a command looks: shape and tone. */
export function phaseWord(phase) {
  const [shape, tone] = PHASE[phase] ?? ["busy", "is-stale"];
  return { shape, tone };
}
