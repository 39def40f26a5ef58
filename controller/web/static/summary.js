// The line above the fleet: how many nodes stand how, each a filter; and how the connections stand.

import { h } from "./dom.js";
import { duration, number } from "./format.js";
import { STATUSES, WORD, glyph } from "./words.js";

/** Draw the counts. `choose` gets the status that was picked, or null for all. */
export function drawSummary(element, model, choose) {
  const counts = model.counts();
  const focused = document.activeElement?.dataset?.status;
  const all = count("all", "All nodes", model.nodes.size, null, model.status === null, () => choose(null));
  const each = STATUSES.map((status) =>
    count(status, WORD[status], counts[status], glyph(status), model.status === status, () =>
      choose(model.status === status ? null : status)),
  );
  element.replaceChildren(all, ...each, share(counts));
  if (focused) element.querySelector(`[data-status="${focused}"]`)?.focus();
}

function count(status, word, value, shape, pressed, onclick) {
  const classes = ["count", status === "all" ? "" : `is-${status}`, value ? "" : "is-zero"].filter(Boolean).join(" ");
  return h(
    "button",
    { type: "button", class: classes, "data-status": status, "aria-pressed": String(pressed), onclick },
    h("span", { class: "number" }, number(value)),
    h("span", { class: "word" }, shape && h("span", { class: value ? "tone" : "dim" }, shape), word),
  );
}

function share(counts) {
  const parts = STATUSES.filter((status) => counts[status]).map((status) => {
    const part = h("span", { class: `is-${status}` });
    part.style.setProperty("--n", counts[status]);
    return part;
  });
  return h("div", { class: "share", "aria-hidden": "true" }, parts);
}

/** Draw how the controller's broker and this page's stream stand. */
export function drawLinks(element, model, streaming) {
  const ingest = model.ingest;
  const age = ingest ? duration(model.ageOf(ingest.since)) : "";
  const broker = ingest && link(
    ingest.connected ? "online" : "offline",
    ingest.connected ? `Broker connected` : `Broker away for ${age}`,
    ingest.connected ? `${ingest.broker}, for ${age}` : ingest.error,
  );
  const rate = ingest && h("span", { class: "link rate" }, h("b", {}, number(ingest.messages_per_s)), "messages/s");
  const live = link(streaming ? "online" : "offline", streaming ? "Live" : "Not live", null);
  element.replaceChildren(...(streaming ? [rate, broker, live] : [live]).filter(Boolean));
}

function link(status, text, title) {
  return h("span", { class: `link is-${status}`, title }, h("span", { class: "tone" }, glyph(status)), text);
}
