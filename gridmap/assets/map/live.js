// What others save shows here within two seconds, without moving the view or touching a form.
"use strict";
(function (G) {
  const seen = { sequence: 0 };
  let waiting = new Map();
  let redraw = [];
  let mustReload = false;

  function start(sequence) {
    seen.sequence = sequence || 0;
    const address = `${window.location.origin}${G.root}/api/changes`;
    if (window.SharedWorker) startShared(address);
    else startOwn(address);
  }

  // Browsers allow few connections to one server: all tabs of an account share one stream.
  function startShared(address) {
    const name = `gridmap ${G.app.user.username}`;
    const worker = new SharedWorker(`${G.root}/assets/map/live-worker.js?v=${G.app.version}`, { name });
    worker.port.onmessage = ({ data }) => hear(data);
    worker.port.postMessage({ kind: "start", address, since: seen.sequence });
    window.addEventListener("pagehide", () => worker.port.postMessage({ kind: "bye" }));
    G.on("signed-in", (isIn) => isIn && worker.port.postMessage({ kind: "start", address, since: seen.sequence }));
  }

  function startOwn(address) {
    const open = () => {
      const stream = new EventSource(`${address}?since=${seen.sequence}`);
      stream.addEventListener("hello", (event) => hear({ kind: "hello", data: JSON.parse(event.data) }));
      stream.addEventListener("change", (event) => hear({ kind: "change", data: JSON.parse(event.data) }));
      stream.addEventListener("presence", (event) => hear({ kind: "presence", data: JSON.parse(event.data) }));
      stream.addEventListener("end", (event) => {
        stream.close();
        hear({ kind: "end", data: JSON.parse(event.data) });
      });
      stream.onerror = () => {
        hear({ kind: "lost" });
        if (stream.readyState === EventSource.CLOSED) setTimeout(open, 10000);
      };
    };
    open();
    G.on("signed-in", (isIn) => isIn && open());
  }

  function hear({ kind, data }) {
    if (kind === "lost") return G.emit("live", false);
    if (kind === "presence") return G.emit("people", data.people);
    if (kind === "end") {
      G.emit("live", false);
      if (data.status === 401) G.emit("signed-out");
      return;
    }
    G.emit("live", true);
    if (kind !== "change") return;
    // A stream that begins anew may repeat what this page has seen.
    if (data.sequence && data.sequence <= seen.sequence && !data.reload) return;
    seen.sequence = Math.max(seen.sequence, data.sequence || 0);
    if (data.reload) mustReload = true;
    for (const change of data.changes || []) {
      waiting.set(change.id, change);
      redraw.push(change);
    }
    settle();
  }

  const settle = G.debounce(() => {
    const changes = [...waiting.values()];
    waiting = new Map();
    const drawn = redraw;
    redraw = [];
    const all = mustReload;
    mustReload = false;
    G.emit("sequence", seen.sequence);
    G.layers.refreshCounts();
    if (all && !G.past.at) {
      G.tiles.refresh(G.app.catalogue.layers.map((one) => one.id));
      if (!G.edit.isBusy()) G.select.reload();
      return;
    }
    // While the map stands in the past, the present waits.
    if (G.past.at) return;
    for (const [layer, boxes] of grounds(drawn.filter((one) => !isMine(one)))) G.tiles.refresh([layer], boxes);
    for (const change of changes) touch(change);
  }, 120);

  // The ground that changed in each layer; null where one of its changes does not tell.
  function grounds(changes) {
    const found = new Map();
    for (const { layer, boxes } of changes) {
      const known = found.has(layer) ? found.get(layer) : [];
      found.set(layer, known && boxes.length ? [...known, ...boxes] : null);
    }
    return found;
  }

  // My own writes have been drawn already when their receipt came.
  const mine = new Map();
  G.on("saved", ({ receipt }) => {
    if (receipt.feature) mine.set(receipt.feature.id, receipt.feature.properties.revision);
  });
  G.on("grid-saved", ({ receipt }) => {
    for (const one of [...receipt.changed, ...receipt.created, ...receipt.retired]) mine.set(one.id, one.properties.revision);
  });
  const isMine = (change) => mine.get(change.id) === change.revision;

  function touch(change) {
    if (isMine(change)) return;
    if (G.edit.noticeChange(change)) return;
    const { current } = G.select;
    if (current && current.id === change.id && !G.edit.isBusy() && current.feature.properties.revision !== change.revision) {
      if (change.operation === "delete") G.details.gone(current, null);
      else G.select.reload();
    }
  }

  G.live = { start, seen };
})(window.Gridmap);
