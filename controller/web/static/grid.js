// The fleet by site. Rows are kept and updated, so that focus, selection and scroll survive a change.

import { h } from "./dom.js";
import { keyOf } from "./model.js";
import { Row, tickAges } from "./row.js";

const COLUMNS = [["node", "Node"], ["seen", "Last seen"], ["apps", "Apps"], ["plcs", "PLCs"], ["host", "Host"], ["spool", "Spool"]];

export class Grid {
  #rows = new Map();
  #selected = null;

  constructor(element, model, onopen) {
    this.element = element;
    this.model = model;
    this.onopen = onopen;
    element.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Draw which nodes are there, in their order; needed when one comes, goes, or is filtered. */
  draw() {
    const sites = [...this.model.sites()].map(([site, nodes]) => section(site, nodes, nodes.map((node) => this.#row(node))));
    this.element.replaceChildren(...sites);
    this.#mark();
    tickAges(this.element, this.model);
  }

  /** Draw one node anew; returns whether it had a row. */
  update(node, flash) {
    const row = this.#rows.get(keyOf(node));
    if (!row) return false;
    row.update(node, this.model.history.get(keyOf(node)));
    tickAges(row.element, this.model);
    this.#mark(row);
    if (flash) row.element.classList.add("flash");
    return true;
  }

  /** Drop the row of a node that is no more. */
  remove(key) {
    this.#rows.delete(key);
    this.draw();
  }

  select(key) {
    this.#selected = key;
    this.#mark();
  }

  focus(key) {
    this.#rows.get(key)?.name.focus();
  }

  #row(node) {
    const key = keyOf(node);
    if (!this.#rows.has(key)) this.#rows.set(key, new Row(node, () => this.onopen(key)));
    const row = this.#rows.get(key);
    row.update(node, this.model.history.get(key));
    return row;
  }

  #mark(only) {
    for (const row of only ? [only] : this.#rows.values()) {
      const selected = row.element.dataset.key === this.#selected;
      if (selected) row.element.setAttribute("aria-selected", "true");
      else row.element.removeAttribute("aria-selected");
      row.name.setAttribute("aria-expanded", String(selected));
    }
  }

  #move(event) {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step || !event.target.classList.contains("node-name")) return;
    const names = [...this.element.querySelectorAll(".node-name")];
    names[names.indexOf(event.target) + step]?.focus();
    event.preventDefault();
  }
}

function section(site, nodes, rows) {
  const away = nodes.filter((node) => node.status !== "online").length;
  const words = `${nodes.length} ${nodes.length === 1 ? "node" : "nodes"}${away ? `, ${away} not online` : ""}`;
  const heads = COLUMNS.map(([name, word]) => h("th", { scope: "col", class: `c-${name}` }, word));
  const table = h(
    "table",
    { class: "grid", "aria-label": `Nodes of ${site}` },
    h("thead", {}, h("tr", {}, heads)),
    h("tbody", {}, rows.map((row) => row.element)),
  );
  return h("section", { class: "site" }, h("div", { class: "site-head" }, h("h2", {}, site), h("p", {}, words)), table);
}
