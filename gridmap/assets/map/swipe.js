// Before and after: two states of the same map with a handle between them.
// Left is what was (or is today), right what is (or would be); both stand on the same view.
"use strict";
(function (G) {
  const LEFT = "gm-swipe-left";
  const RIGHT = "gm-swipe-right";
  const CHANGES = { add: ["#0f6131", "plus"], move: ["#8a4500", "move"], close: ["#a3161b", "cross"] };
  let open = null;
  let share = 0.5;

  function pane(name, z) {
    const found = G.app.map.getPane(name) || G.app.map.createPane(name);
    found.style.zIndex = z;
    return found;
  }

  // The live layer once more, at another moment. Its rules already say what is drawn and how.
  function twin(at) {
    const live = G.tiles.layer;
    const moment = `&datetime=${encodeURIComponent(at)}`;
    const sources = {};
    for (const name of live.views.keys()) {
      const rules = [...live.paintRules, ...live.labelRules].filter((one) => one.dataSource === name);
      // the rules of all layers that were shown since the map opened: only those on it now are worth a request
      const layers = [...new Set(rules.map((one) => one.dataLayer.replace(/_label$/, "")))].filter(G.tiles.isVisible);
      sources[name] = { url: { getZxy: (z, x, y, signal) => fetchTile(layers, z, x, y, moment, signal) }, maxDataZoom: 17, levelDiff: 0 };
    }
    pane(LEFT, 210);
    const made = protomapsL.leafletLayer({ sources, attribution: "", lang: "zh", paintRules: live.paintRules, labelRules: live.labelRules, maxZoom: 20, pane: LEFT, keepBuffer: 1, updateWhenZooming: false });
    return made.addTo(G.app.map);
  }

  async function fetchTile(layers, z, x, y, moment, signal) {
    if (!layers.length) return undefined;
    const path = `${G.root}/ogc/tiles/WebMercatorQuad/${z}/${y}/${x}?collections=${layers.join(",")}${moment}`;
    let answer = null;
    try {
      answer = await fetch(path, { credentials: "same-origin", signal, headers: { Accept: "application/vnd.mapbox-vector-tile" } });
    } catch {
      answer = null;
    }
    if (!answer || !answer.ok) {
      // The drawing library says every other failure aloud.
      const silent = new Error("tile");
      silent.name = "AbortError";
      throw silent;
    }
    const data = answer.status === 204 ? new ArrayBuffer(0) : await answer.arrayBuffer();
    return data.byteLength ? { data } : undefined;
  }

  // What a scenario changes, as marks beside today's points.
  function marks(changes) {
    pane(RIGHT, 630);
    const group = L.layerGroup([], { pmIgnore: true });
    for (const one of changes) {
      const [color, kind] = CHANGES[one.kind];
      const at = [one.lat, one.lon];
      if (one.kind === "move") {
        const line = { color, weight: 5, dashArray: "8 6", interactive: false, pmIgnore: true, pane: RIGHT };
        group.addLayer(L.polyline([[one.from[1], one.from[0]], at], line));
      }
      const words = { add: "新增", move: "迁移", close: "裁撤" }[one.kind];
      const html = G.h("div", { class: `gm-swipe-mark gm-swipe-${kind}`, style: { background: color } }, `${words}${one.name ? ` ${one.name}` : ""}`);
      group.addLayer(L.marker(at, { interactive: false, keyboard: false, pmIgnore: true, pane: RIGHT, icon: L.divIcon({ className: "gm-swipe-label", html, iconSize: [0, 0] }) }));
    }
    return group.addTo(G.app.map);
  }

  // --- the handle -----------------------------------------------------------------------------------------------
  function clip() {
    const { map } = G.app;
    const size = map.getSize();
    const x = Math.round(size.x * share);
    const [nw, se] = [map.containerPointToLayerPoint([0, 0]), map.containerPointToLayerPoint(size)];
    const middle = nw.x + x;
    const box = (left, right) => `rect(${nw.y}px, ${right}px, ${se.y}px, ${left}px)`;
    if (open.twin) {
      map.getPane(LEFT).style.clip = box(nw.x, middle);
      map.getPane("tilePane").style.clip = box(middle, se.x);
    }
    if (open.marks) map.getPane(RIGHT).style.clip = box(middle, se.x);
    open.handle.style.left = `${x}px`;
    open.handle.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  }

  function handle() {
    const bar = G.h("div", { class: "gm-swipe-handle", id: "gm-swipe", role: "slider", tabindex: "0", "aria-label": "前后对比分隔线", "aria-valuemin": "0", "aria-valuemax": "100" }, G.h("span", { class: "gm-swipe-grip", "aria-hidden": "true", text: "◀ ▶" }));
    const move = (event) => {
      share = Math.min(0.98, Math.max(0.02, event.clientX / G.app.map.getSize().x));
      clip();
    };
    bar.addEventListener("pointerdown", (event) => {
      bar.setPointerCapture(event.pointerId);
      bar.addEventListener("pointermove", move);
      event.preventDefault();
    });
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move));
    return bar;
  }

  // One step of the handle: for keys.
  function step(direction) {
    if (!open) return;
    share = Math.min(0.98, Math.max(0.02, share + direction * 0.05));
    clip();
  }

  function start({ before, after, changes, words }) {
    stop();
    // in the middle of what the words leave free
    const panel = document.getElementById("gm-slide");
    const width = G.app.map.getSize().x;
    share = panel ? (panel.getBoundingClientRect().right + width) / 2 / width : 0.5;
    open = { twin: null, marks: null, handle: handle(), titles: [] };
    if (before) {
      G.tiles.setTime(after || null);
      open.twin = twin(before);
    }
    if (changes) open.marks = marks(changes);
    open.titles = ["left", "right"].map((side, at) => G.h("div", { class: `gm-swipe-title gm-swipe-title-${side}`, text: words[at] }));
    document.getElementById("gm").append(open.handle, ...open.titles);
    if (open.twin) {
      // The past takes longer to read than the present.
      const [title] = open.titles;
      title.textContent = `${words[0]} · 正在读取…`;
      open.twin.once("load", () => (title.textContent = words[0]));
    }
    G.app.map.on("move zoomend resize viewreset", clip);
    clip();
  }

  function stop() {
    if (!open) return;
    const { map } = G.app;
    map.off("move zoomend resize viewreset", clip);
    for (const one of [open.twin, open.marks]) if (one) one.remove();
    map.getPane("tilePane").style.clip = "";
    open.handle.remove();
    open.titles.forEach((one) => one.remove());
    open = null;
  }

  G.swipe = {
    start, stop, step,
    get isOpen() {
      return !!open;
    },
  };
})(window.Gridmap);
