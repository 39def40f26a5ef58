// What this page knows: the nodes as the server last told, the server's clock, and what is asked for. No DOM here.

export const HISTORY = 60;

export const keyOf = (node) => `${node.site}/${node.node}`;

export class Model {
  nodes = new Map();
  history = new Map();
  ingest = null;
  query = "";
  status = null;
  #aheadMs = 0;

  /** The server's time now, in milliseconds, whatever this machine's clock says. */
  now() {
    return Date.now() - this.#aheadMs;
  }

  /** Seconds since a time that the server gave. */
  ageOf(time) {
    return Math.max(0, (this.now() - Date.parse(time)) / 1000);
  }

  tell(serverTime) {
    this.#aheadMs = Date.now() - Date.parse(serverTime);
  }

  /** Take the whole fleet; whoever is not in it is gone. */
  replace(fleet) {
    this.tell(fleet.now);
    this.ingest = fleet.ingest;
    this.nodes = new Map(fleet.nodes.map((node) => [keyOf(node), node]));
    for (const node of fleet.nodes) this.#remember(node);
  }

  /** Take one node; returns what was known of it before. */
  put(node) {
    const before = this.nodes.get(keyOf(node));
    this.nodes.set(keyOf(node), node);
    this.#remember(node);
    return before;
  }

  /** Forget one node; returns whether it was known. */
  remove(key) {
    this.history.delete(key);
    return this.nodes.delete(key);
  }

  /** How many nodes stand how. */
  counts() {
    const counts = { online: 0, degraded: 0, stale: 0, offline: 0, unknown: 0 };
    for (const node of this.nodes.values()) counts[node.status] += 1;
    return counts;
  }

  /** The nodes that are asked for, by site. */
  sites() {
    const sites = new Map();
    for (const key of [...this.nodes.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }))) {
      const node = this.nodes.get(key);
      if (!this.wants(node)) continue;
      if (!sites.has(node.site)) sites.set(node.site, []);
      sites.get(node.site).push(node);
    }
    return sites;
  }

  wants(node) {
    if (this.status && node.status !== this.status) return false;
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    const text = textOf(node);
    return words.every((word) => text.includes(word));
  }

  #remember(node) {
    if (!node.host) return;
    const key = keyOf(node);
    const known = this.history.get(key) ?? { seenAt: null, cpu: [], memory: [] };
    if (known.seenAt === node.seen_at) return;
    const memory = (100 * node.host.memory_used_bytes) / Math.max(1, node.host.memory_total_bytes);
    this.history.set(key, {
      seenAt: node.seen_at,
      cpu: [...known.cpu, node.host.cpu_percent].slice(-HISTORY),
      memory: [...known.memory, memory].slice(-HISTORY),
    });
  }
}

function textOf(node) {
  const apps = node.apps.flatMap((app) => [app.app, app.status ?? "", app.running?.image ?? ""]);
  const plcs = node.plcs.map((plc) => plc.plc);
  return [keyOf(node), node.status, node.version ?? "", node.mode ?? "", ...apps, ...plcs].join(" ").toLowerCase();
}
