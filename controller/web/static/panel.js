// One node beside the fleet: the stream keeps its facts fresh, the API gives what became of its commands.

import { h, s } from "./dom.js";
import { drawParts } from "./parts.js";
import { tickAges } from "./row.js";
import { drawTimes } from "./times.js";
import { WORD, glyph } from "./words.js";

export class Panel {
  key = null;
  #timeline = null;
  #asking = false;

  constructor(element, model, onclose) {
    this.element = element;
    this.model = model;
    this.head = h("div", { class: "panel-title" });
    const cross = s("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, s("path", { d: "m2 2 10 10M12 2 2 12" }));
    this.closer = h("button", { type: "button", class: "close", "aria-label": "Close", onclick: onclose }, cross);
    this.body = h("div", { class: "panel-body", tabindex: "-1" });
    element.append(h("header", { class: "panel-head" }, this.head, this.closer), this.body);
  }

  open(key) {
    if (this.key !== key) {
      this.#timeline = null;
      this.body.scrollTop = 0;
    }
    this.key = key;
    this.element.hidden = false;
    this.update();
  }

  close() {
    this.key = null;
    this.element.hidden = true;
  }

  /** Draw what is known of the node, and ask for its commands. */
  update() {
    if (!this.key) return;
    this.#draw();
    if (this.model.nodes.has(this.key)) this.#ask();
  }

  #draw() {
    const node = this.model.nodes.get(this.key);
    if (!node) {
      this.#timeline = null;
      this.head.replaceChildren(h("h2", { id: "panel-name" }, this.key));
      this.body.replaceChildren(h("p", { class: "part" }, "Nothing is known of this node."));
      return;
    }
    const badge = h("span", { class: `badge is-${node.status}` }, glyph(node.status), WORD[node.status]);
    this.head.replaceChildren(h("span", { class: "sub" }, node.site), h("h2", { id: "panel-name" }, node.node), badge);
    this.body.replaceChildren(...drawParts(node, this.model.history.get(this.key)), drawTimes(this.#timeline));
    tickAges(this.element, this.model);
  }

  /** One question at a time; what changes meanwhile is asked for by the next update. */
  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    const key = this.key;
    try {
      const path = key.split("/").map(encodeURIComponent).join("/");
      const answer = await fetch(`/api/v1/nodes/${path}`);
      if (answer.ok && key === this.key) {
        this.#timeline = (await answer.json()).timeline;
        this.#draw();
      }
    } catch {
      // The stream says that the controller is away; what was known stays.
    } finally {
      this.#asking = false;
    }
    if (this.key && key !== this.key) this.#ask();
  }
}
