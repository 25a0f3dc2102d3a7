// Maps that show instead of edit: what to show stands in the page around the frame, as data of one element.
// Only modes other than “map” are concerned: nothing of theirs is kept as the view of the main map.
"use strict";
(function (G) {
  const isShow = () => G.app.mode !== "map";
  const outer = () => window.parent.document;
  let last = null;

  // --- a view of its own ------------------------------------------------------------------------------------
  const { view, setView } = G.store;
  const own = (name) => (isShow() ? `${G.app.mode}:${name}` : name);
  G.store.view = (name, otherwise) => view(own(name), otherwise);
  G.store.setView = (name, value) => setView(own(name), value);

  const initial = G.layers.initial;
  G.layers.initial = () => {
    const wanted = G.scene.layers[G.app.mode];
    // A few names are enough: those of the areas stand on the map already.
    if (G.app.mode === "overview") for (const one of G.app.catalogue.layers) one.label_min_zoom = Math.max(one.label_min_zoom, 14);
    return wanted ? G.app.catalogue.layers.filter((one) => wanted(one)).map((one) => one.id) : initial();
  };

  // --- what the page says -------------------------------------------------------------------------------------
  function read() {
    const all = outer().querySelectorAll(`.gm-scene[data-mode="${G.app.mode}"]`);
    const text = all.length ? all[all.length - 1].dataset.scene : null;
    if (!text || text === last) return;
    last = text;
    G.emit("scene", JSON.parse(text));
  }

  // One small fact for the page: which area was chosen, which view is to be kept.
  let sent = 0;
  function tell(fact) {
    sent += 1;
    window.Streamlit.setComponentValue({ ...fact, n: `${Date.now()}.${sent}` });
  }

  // --- keys -----------------------------------------------------------------------------------------------------
  // Whoever presents may have the focus in the page or in this frame.
  function keys(run) {
    const stop = new AbortController();
    const handle = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return; // Escape is marked as handled by the map itself
      if (event.target.closest && event.target.closest("input, textarea, select, [contenteditable=true], [role=combobox]")) return;
      run(event);
    };
    document.addEventListener("keydown", handle, { signal: stop.signal, capture: true });
    outer().addEventListener("keydown", handle, { signal: stop.signal, capture: true });
    window.addEventListener("pagehide", () => stop.abort());
  }

  G.on("ready", () => {
    if (!isShow()) return;
    document.body.classList.add("gm-show", `gm-show-${G.app.mode}`);
    // What only editing needs; without its buttons its keys do nothing either.
    for (const id of ["gm-undo", "gm-add", "gm-pending", "gm-proposals", "gm-people"]) {
      const one = document.getElementById(id);
      if (one) one.remove();
    }
    G.app.map.off("click", G.select.clicked);
    G.app.map.options.zoomSnap = 0.25;
    const stop = new MutationObserver(read);
    stop.observe(outer().body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-scene"] });
    window.addEventListener("pagehide", () => stop.disconnect());
    read();
  });

  // What a room understands at a glance; whoever makes a slide adds what it is about.
  const MAIN = new Set(["district", "town", "police_grid", "road", "barrier", "workstation", "risk"]);
  const isMain = (layer) => MAIN.has(layer.id);

  // The zoom of a kept view is that of a frame of this size: it shows the same ground on a wall and on a tablet.
  const FRAME = { width: 1280, height: 720 };
  const zoomFrom = ({ width, height }) => Math.log2(Math.min(width / FRAME.width, height / FRAME.height));

  G.scene = { isMain, zoomFrom, tell, keys, read, layers: {}, full: () => window.parent.gridmapFullscreen };
})(window.Gridmap);
