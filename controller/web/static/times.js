// What became of commands on a node, the newest first.

import { h } from "./dom.js";
import { bytes, moment } from "./format.js";
import { part } from "./parts.js";
import { glyph, phaseWord } from "./words.js";

const LEFT = { unchanged: "nothing was changed", changed: "the node was changed", rolled_back: "it went back to what it had", broken: "the node is left broken" };

/** The timeline; null while it is not known yet. */
export function drawTimes(timeline) {
  if (timeline === null) return part("Commands", null, h("p", { class: "dim" }, "…"));
  if (!timeline.length) return part("Commands", null, h("p", { class: "dim" }, "None has been answered."));
  return part("Commands", null, h("ol", { class: "times" }, timeline.map(({ outcome }) => time(outcome))));
}

function time(outcome) {
  const { shape, tone } = phaseWord(outcome.phase);
  const what = [outcome.verb, outcome.app, outcome.revision ? `r${outcome.revision}` : null].filter(Boolean).join(" ");
  return h(
    "li",
    { class: `time ${tone}`, title: outcome.command_id },
    h("span", { class: "tone" }, glyph(shape)),
    h("span", {}, h("b", {}, outcome.phase), ` ${what || outcome.command_id}`),
    h("time", { class: "sub", datetime: outcome.at }, moment(outcome.at)),
    more(outcome).map((text) => h("span", { class: "more" }, text)),
  );
}

function more(outcome) {
  const progress = outcome.progress;
  const of = progress?.total_bytes ? `, ${bytes(progress.done_bytes ?? 0)} of ${bytes(progress.total_bytes)}` : "";
  const error = outcome.error;
  return [
    progress && `${progress.step}${of}`,
    error && `${error.component}, while ${error.phase}: ${error.message}`,
    outcome.left && outcome.left !== "changed" && LEFT[outcome.left],
  ].filter(Boolean);
}
