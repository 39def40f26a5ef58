// One node in the grid.

import { h } from "./dom.js";
import { ago, bytes, milliseconds, number, percent } from "./format.js";
import { bar, slotsFor, spark } from "./graph.js";
import { keyOf } from "./model.js";
import { WORD, appWord, glyph } from "./words.js";

export class Row {
  constructor(node, onopen) {
    this.name = h("button", { type: "button", class: "node-name" }, node.node);
    this.cells = ["node", "seen", "apps", "plcs", "host", "spool"].map((name) => h("td", { class: `c-${name}` }));
    this.element = h("tr", { "data-key": keyOf(node), onclick: onopen }, this.cells);
  }

  /** Show the node as it is now. The name stays the same element, so that it keeps the focus. */
  update(node, history) {
    const away = node.status === "offline" || node.status === "unknown";
    this.element.className = `is-${node.status}${away ? " is-away" : ""}`;
    const [first, seen, apps, plcs, host, spool] = this.cells;
    const focused = document.activeElement === this.name;
    first.replaceChildren(h("div", { class: "node" }, glyph(node.status), h("div", {}, this.name, stateLine(node))));
    if (focused) this.name.focus();
    seen.replaceChildren(...seenLines(node));
    apps.replaceChildren(lines(node.apps.map(appLine)));
    plcs.replaceChildren(lines(node.plcs.map(plcLine)));
    host.replaceChildren(hostMeters(node, history));
    spool.replaceChildren(...spoolLines(node));
  }
}

/** A time that the page keeps counting. */
export function age(time, prefix = "") {
  return h("span", { class: "age", "data-at": time, "data-prefix": prefix });
}

/** Count every age on the page anew. */
export function tickAges(root, model) {
  for (const element of root.querySelectorAll(".age[data-at]")) {
    const text = element.dataset.prefix + ago(model.ageOf(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}

function stateLine(node) {
  const [reason] = node.reasons;
  const more = node.reasons.length > 1 ? ` (+${node.reasons.length - 1})` : "";
  const text = reason ? ` · ${reason.text}${more}` : "";
  const title = node.reasons.map((each) => each.text).join("\n") || null;
  return h("div", { class: "state-line", title }, h("b", {}, WORD[node.status]), text);
}

function seenLines(node) {
  const late = ["stale", "offline"].includes(node.status);
  const time = node.seen_at ? h("div", { class: late ? "is-late" : "" }, age(node.seen_at)) : h("div", { class: "dim" }, "never");
  return [time, h("div", { class: "sub" }, node.version ? `v${node.version}` : "no version")];
}

function lines(items) {
  return items.length ? h("div", { class: "lines" }, items) : h("span", { class: "dim" }, "none");
}

function appLine(app) {
  const { shape, word, tone } = appWord(app);
  const title = app.reason ? `${app.app}: ${app.reason}` : null;
  const quiet = shape === "online";
  return h(
    "div",
    { class: `app-line ${tone}`, title },
    h("span", { class: "tone" }, glyph(shape)),
    h("span", { class: "app-name" }, app.app),
    revision(app),
    quiet ? h("span", { class: "hidden" }, word) : h("span", { class: "app-word" }, word),
  );
}

/** The running revision, and the desired one where it is another. */
export function revision(app) {
  const running = app.running ? `r${app.running.number}` : "none";
  if (!app.desired) return app.running && h("span", { class: "rev" }, running);
  if (app.running?.number === app.desired.number) return h("span", { class: "rev" }, running);
  const spoken = `running ${running}, desired r${app.desired.number}`;
  return h("span", { class: "rev", "aria-label": spoken }, `${running} → `, h("span", { class: "to" }, `r${app.desired.number}`));
}

export const qualityTone = (plc) => (!plc.connected ? "is-offline" : plc.quality < 0.9 ? "is-degraded" : "is-online");

function plcLine(plc) {
  const name = h("span", { class: "plc-name" }, plc.plc);
  if (!plc.connected) {
    return h("div", { class: "plc-line is-cut is-offline", title: plc.error }, name, h("span", { class: "cut" }, glyph("offline"), " not connected"));
  }
  const label = `${percent(plc.quality)} of ${plc.tags} tags are Good`;
  return h(
    "div",
    { class: `plc-line ${qualityTone(plc)}`, title: label },
    name,
    bar(plc.quality, label),
    h("span", { class: "value" }, percent(plc.quality)),
    h("span", { class: "sub" }, plc.response_time_ms === null ? "" : milliseconds(plc.response_time_ms)),
  );
}

function hostMeters(node, history) {
  if (!node.host) return h("span", { class: "dim" }, "unknown");
  const used = node.host.memory_used_bytes / Math.max(1, node.host.memory_total_bytes);
  return h(
    "div",
    { class: "meters" },
    meter("CPU", history?.cpu ?? [], node.host.cpu_percent / 100, 40),
    meter("Mem", history?.memory ?? [], used, 60),
  );
}

function meter(what, values, share, atLeast) {
  const label = `${what}, last ${values.length} heartbeats`;
  return h(
    "div",
    { class: "meter" },
    h("span", { class: "what" }, what),
    spark(values, { atLeast, label, slots: slotsFor(values) }),
    h("span", { class: "value" }, percent(share)),
  );
}

function spoolLines(node) {
  if (!node.spool) return [h("span", { class: "dim" }, "unknown")];
  if (!node.spool.records) return [h("span", { class: "dim" }, "empty")];
  return [h("div", {}, number(node.spool.records)), h("div", { class: "sub" }, bytes(node.spool.bytes))];
}
