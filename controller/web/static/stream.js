// The one stream of changes. It says when it is lost and since when, and comes back by itself.

const SILENT_MS = 16000;
const AGAIN_MS = 2000;

/**
 * Follow the server's events. `on.fleet`, `on.node`, `on.gone` and `on.clock` get what it says; `on.open` and `on.lost` how the
 * stream stands. A connection that is silent for longer than three clock events counts as lost.
 */
export function follow(url, on) {
  let source = null;
  let heardAt = Date.now();

  const heard = (take) => (event) => {
    heardAt = Date.now();
    on.open();
    take(JSON.parse(event.data));
  };

  function connect() {
    source?.close();
    source = new EventSource(url);
    source.addEventListener("fleet", heard(on.fleet));
    source.addEventListener("node", heard(on.node));
    source.addEventListener("gone", heard(on.gone));
    source.addEventListener("clock", heard(on.clock));
    source.addEventListener("error", lost);
  }

  function lost() {
    on.lost(heardAt);
    // A browser connects again by itself after a cut, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
  }

  setInterval(() => {
    if (Date.now() - heardAt < SILENT_MS) return;
    on.lost(heardAt);
    if (source.readyState === EventSource.OPEN) connect();
  }, 1000);

  connect();
}
