// Puts the page together: the stream fills the model, the model is drawn.

import { clock } from "./format.js";
import { Grid } from "./grid.js";
import { Model, keyOf } from "./model.js";
import { Panel } from "./panel.js";
import { tickAges } from "./row.js";
import { follow } from "./stream.js";
import { drawLinks, drawSummary } from "./summary.js";
import { WORD } from "./words.js";

const $ = (id) => document.getElementById(id);
const model = new Model();
const grid = new Grid($("sites"), model, (key) => open(key));
const panel = new Panel($("panel"), model, () => open(null));
let lostAt = null;
let streaming = false;

// --- drawing

function drawAll() {
  drawSummary($("summary"), model, choose);
  grid.draw();
  drawShown();
  panel.update();
  tick();
}

function drawShown() {
  const shown = [...model.nodes.values()].filter((node) => model.wants(node)).length;
  const filtered = model.status !== null || model.query !== "";
  $("shown").textContent = filtered ? `${shown} of ${model.nodes.size} nodes` : "";
  $("none").hidden = shown > 0 || !streaming;
  $("none").textContent = filtered
    ? "No node fits. Press Escape to see all."
    : "No node has been heard of yet. Start an agent that knows this broker, and it appears here by itself.";
}

function tick() {
  tickAges(document, model);
  drawLinks($("links"), model, lostAt === null && streaming);
  drawWarning();
}

/** Say what is missing: this page's stream, or the controller's broker. Unchanged words are not said twice. */
function drawWarning() {
  const away = streaming && model.ingest && !model.ingest.connected;
  const [what, since] = lostAt !== null
    ? ["The connection to the controller is lost.", lostAt]
    : ["The controller has lost its broker.", away ? Date.parse(model.ingest.since) : null];
  $("lost").hidden = since === null;
  if (since !== null && $("lost").dataset.said !== what + since) {
    $("lost").dataset.said = what + since;
    $("lost").replaceChildren(bold(what), ` Nothing here is newer than ${clock(since)}. Trying again …`);
  }
}

function bold(text) {
  const element = document.createElement("b");
  element.textContent = text;
  return element;
}

// --- what the stream says

function takeNode({ now, node }) {
  model.tell(now);
  const before = model.put(node);
  const changed = before?.status !== node.status;
  if (changed) announce(node);
  const placed = model.wants(node) === Boolean(before && model.wants(before));
  if (!(placed && (!model.wants(node) || grid.update(node, changed)))) grid.draw();
  if (changed || !before) drawSummary($("summary"), model, choose);
  drawShown();
  if (panel.key === keyOf(node)) panel.update();
}

function takeGone({ now, ...node }) {
  model.tell(now);
  if (!model.remove(keyOf(node))) return;
  $("news").textContent = `${node.node} at ${node.site} was taken out of the fleet`;
  grid.remove(keyOf(node));
  drawSummary($("summary"), model, choose);
  drawShown();
  if (panel.key === keyOf(node)) panel.update();
}

function announce(node) {
  $("news").textContent = `${node.node} at ${node.site} is ${WORD[node.status].toLowerCase()}`;
}

follow("/api/v1/events", {
  fleet(fleet) {
    model.replace(fleet);
    drawAll();
  },
  node: takeNode,
  gone: takeGone,
  clock({ now, ingest }) {
    model.tell(now);
    model.ingest = ingest;
    tick();
  },
  open() {
    if (streaming && lostAt === null) return;
    streaming = true;
    lostAt = null;
    document.body.dataset.stream = "live";
  },
  lost(since) {
    lostAt ??= since;
    document.body.dataset.stream = "lost";
    tick();
  },
});

// --- what a person does

function choose(status) {
  model.status = status;
  drawAll();
}

function open(key) {
  const left = panel.key;
  history.replaceState(null, "", key ? `#${key}` : location.pathname);
  grid.select(key);
  if (key) panel.open(key);
  else panel.close();
  tick();
  if (!key && left) grid.focus(left);
}

$("filter").addEventListener("input", (event) => {
  model.query = event.target.value.trim();
  drawAll();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== $("filter")) {
    $("filter").focus();
    event.preventDefault();
  } else if (event.key === "Escape") {
    if (panel.key) open(null);
    else if (model.query || model.status) {
      $("filter").value = "";
      model.query = "";
      choose(null);
    }
  }
});

/** The node that the address names; null for none, and for what somebody mistyped. */
function named() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

window.addEventListener("hashchange", () => open(named()));
if (named()) open(named());
setInterval(tick, 1000);
