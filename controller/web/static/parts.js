// The parts of a node's panel: why it is not well, who it is, its apps, PLCs, host and spool.

import { h } from "./dom.js";
import { bytes, duration, milliseconds, moment, number, percent } from "./format.js";
import { bar, slotsFor, spark } from "./graph.js";
import { age, qualityTone, revision } from "./row.js";
import { appWord, glyph } from "./words.js";

/** Everything about a node but its commands. */
export function drawParts(node, history) {
  return [why(node), identity(node), apps(node), plcs(node), host(node, history), spool(node)].filter(Boolean);
}

/** A part of the panel; `time` says how old it is. */
export function part(title, time, ...children) {
  return h("section", { class: "part" }, h("h3", {}, title, time && age(time)), children);
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function why(node) {
  if (!node.reasons.length) return null;
  const items = node.reasons.map((reason) => h("li", {}, reason.text));
  return h("section", { class: `part is-${node.status}` }, h("h3", {}, "Why"), h("ul", { class: "why" }, items));
}

function identity(node) {
  const presence = node.presence;
  const words = presence && (presence.online ? "connected" : presence.reason === "stopped" ? "stopped on purpose" : "lost");
  return part("Agent", null, facts([
    ["Last heartbeat", node.seen_at ? [age(node.seen_at), `, every ${node.period_s} s`] : "never"],
    ["Presence", presence && `${words} since ${moment(presence.since ?? presence.seen_at)}`],
    ["Version", node.version],
    ["Mode", node.mode],
    ["Started", node.started_at && moment(node.started_at)],
    ["Engine", node.engine && (node.engine.reachable ? `Docker ${node.engine.version ?? ""}` : `not reachable: ${node.engine.error ?? "no answer"}`)],
    ["Unreadable", node.rejected_commands ? `${number(node.rejected_commands)} commands without a readable id` : null],
  ]));
}

function apps(node) {
  if (!node.apps.length) return part("Apps", null, h("p", { class: "dim" }, "None."));
  return part("Apps", null, node.apps.map(app));
}

function app(app) {
  const { shape, word, tone } = appWord(app);
  const differs = app.desired && app.desired.number !== app.running?.number;
  return h(
    "div",
    { class: `item ${tone}` },
    h("div", { class: "item-head" }, h("b", {}, app.app), revision(app), h("span", { class: "app-word" }, glyph(shape), word)),
    app.reason && h("p", { class: "reason" }, app.reason),
    facts([
      ["Running", app.running ? image(app.running) : differs ? "nothing" : null],
      ["Desired", differs ? image(app.desired) : null],
      ["Container", [app.state, app.health ? `, ${app.health}` : "", app.restarts ? `, ${number(app.restarts)} restarts` : ""]],
      ["Uses", app.cpu_percent === null ? null : `${app.cpu_percent.toFixed(1)} % CPU, ${bytes(app.memory_bytes ?? 0)}`],
      ["Reported", age(app.seen_at)],
    ]),
  );
}

function image(revision) {
  const digest = revision.digest ? ` ${revision.digest.replace("sha256:", "").slice(0, 12)}` : "";
  return [h("span", { class: "code" }, revision.image), h("span", { class: "code dim" }, digest)];
}

function plcs(node) {
  if (!node.plcs.length) return part("PLCs", null, h("p", { class: "dim" }, "None."));
  return part("PLCs", node.seen_at, node.plcs.map((each) => plc(each, node)));
}

/** When a PLC's last value came: both ages are as of the same answer, and the heartbeat's time is known. */
function lastValue(plc, node) {
  const laterMs = (node.age_s - plc.last_value_age_s) * 1000;
  return age(new Date(Date.parse(node.seen_at) + laterMs).toISOString());
}

function plc(plc, node) {
  const label = `${percent(plc.quality)} of the tags are Good`;
  const word = plc.connected ? ["online", "connected"] : ["offline", "not connected"];
  return h(
    "div",
    { class: `item ${qualityTone(plc)}` },
    h("div", { class: "item-head" }, h("b", {}, plc.plc), h("span", { class: `app-word is-${word[0]}` }, glyph(word[0]), word[1])),
    plc.error && h("p", { class: "reason" }, plc.error),
    h("div", { class: "quality" }, bar(plc.quality, label), h("span", { class: "value" }, percent(plc.quality))),
    facts([
      ["Tags", `${number(plc.tags)}${plc.bad_tags ? `, ${number(plc.bad_tags)} refused by the server` : ""}`],
      ["Response", plc.response_time_ms === null ? null : milliseconds(plc.response_time_ms)],
      ["Values", `${number(plc.values)} since the start`],
      ["Last value", plc.last_value_age_s === null ? "none" : lastValue(plc, node)],
      ["Trouble", plc.errors || plc.reconnects ? `${number(plc.errors)} errors, ${number(plc.reconnects)} reconnects` : null],
    ]),
  );
}

function host(node, history) {
  if (!node.host) return null;
  const on = node.host;
  const memory = on.memory_used_bytes / Math.max(1, on.memory_total_bytes);
  return part("Host", node.seen_at,
    h("div", { class: "gauges" },
      gauge("CPU", percent(on.cpu_percent / 100), history?.cpu ?? [], 40),
      gauge("Memory", percent(memory), history?.memory ?? [], 60)),
    facts([
      ["Memory", `${bytes(on.memory_used_bytes)} of ${bytes(on.memory_total_bytes)}`],
      ["Disk", `${bytes(on.disk_used_bytes)} of ${bytes(on.disk_total_bytes)} (${percent(on.disk_used_bytes / Math.max(1, on.disk_total_bytes))})`],
      ["Load", [on.load_1m, on.load_5m, on.load_15m].map((load) => load.toFixed(2)).join("  ")],
      ["Temperature", on.temperature_c === null ? null : `${on.temperature_c.toFixed(0)} °C`],
      ["Network", `${bytes(on.network_sent_bytes)} sent, ${bytes(on.network_received_bytes)} received`],
    ]));
}

function gauge(name, reading, values, atLeast) {
  const label = `${name}, last ${values.length} heartbeats`;
  return h("div", { class: "gauge" },
    h("div", { class: "reading" }, name, h("b", {}, reading)),
    spark(values, { atLeast, label, slots: slotsFor(values) }));
}

function spool(node) {
  if (!node.spool) return null;
  const it = node.spool;
  return part("Spool", node.seen_at, facts([
    ["Waiting", it.records ? `${number(it.records)} records, ${bytes(it.bytes)}` : "nothing"],
    ["Oldest", it.records ? duration(it.oldest_age_s) : null],
    ["Room", `${bytes(it.max_bytes)}, ${percent(it.bytes / Math.max(1, it.max_bytes))} used`],
    ["Dropped", it.dropped_values ? `${number(it.dropped_values)} values` : null],
    ["Stuck", it.error],
  ]));
}
