// The panel on the left: which layers are drawn, what their symbols mean, which grid one works in, which ground lies below.
"use strict";
(function (G) {
  const S = () => G.symbols;
  const rows = new Map();
  let filter = null;
  let mask = null;
  let raster = null;

  // --- on and off --------------------------------------------------------------------------------------------
  function initial() {
    const kept = G.store.view("layers", {});
    return G.app.catalogue.layers.filter((one) => (one.id in kept ? kept[one.id] : one.visible)).map((one) => one.id);
  }

  function setVisible(id, isOn) {
    G.tiles.show(id, isOn);
    const kept = G.store.view("layers", {});
    G.store.setView("layers", { ...kept, [id]: isOn });
    const row = rows.get(id);
    if (row) row.box.checked = isOn;
    update();
  }

  // --- one row -------------------------------------------------------------------------------------------------
  function legend(layer) {
    const cases = S().cases(layer);
    if (!cases.length) return null;
    const field = G.field(layer, layer.symbol_by);
    return G.h("ul", { class: "gm-legend", "aria-label": `${layer.title}图例:按${field ? field.title : ""}` },
      cases.map(([symbol, words]) => G.h("li", {}, S().swatch(layer, symbol), G.h("span", { text: words }))));
  }

  function layerRow(layer) {
    const box = G.h("input", { type: "checkbox", checked: G.tiles.isVisible(layer.id), data: { layer: layer.id } });
    box.addEventListener("change", () => setVisible(layer.id, box.checked));
    const hint = G.h("span", { class: "gm-range", hidden: true });
    const count = G.h("span", { class: "gm-count" });
    const keys = legend(layer);
    const open = keys && G.h("button", { class: "gm-icon-button gm-expand", type: "button", "aria-expanded": "false", "aria-label": `${layer.title}的图例`, title: "图例" }, G.icon("down", 18));
    if (open) {
      keys.hidden = true;
      open.addEventListener("click", () => {
        keys.hidden = !keys.hidden;
        open.setAttribute("aria-expanded", String(!keys.hidden));
      });
    }
    const row = G.h("li", { class: "gm-layer" },
      G.h("div", { class: "gm-layer-line" },
        G.h("label", { class: "gm-check", title: layer.description || layer.title },
          box, S().swatch(layer, layer.symbol),
          G.h("span", { class: "gm-layer-words" }, G.h("span", { class: "gm-layer-title", text: layer.title }), hint)),
        count, open),
      keys);
    rows.set(layer.id, { layer, row, box, hint, count });
    return row;
  }

  function tree() {
    const { catalogue } = G.app;
    const folded = G.store.view("folded", []);
    return catalogue.groups.map((name) => {
      const layers = catalogue.layers.filter((one) => one.group === name);
      if (!layers.length) return null;
      const list = G.h("ul", { class: "gm-layers", hidden: folded.includes(name) }, layers.map(layerRow));
      const head = G.h("button", { class: "gm-group", type: "button", "aria-expanded": String(!list.hidden) }, G.icon("down", 18), name);
      head.addEventListener("click", () => {
        list.hidden = !list.hidden;
        head.setAttribute("aria-expanded", String(!list.hidden));
        const now = new Set(G.store.view("folded", []));
        if (list.hidden) now.add(name);
        else now.delete(name);
        G.store.setView("folded", [...now]);
      });
      return G.h("section", { class: "gm-group-box" }, G.h("h3", {}, head), list);
    });
  }

  // Counts, and why a layer that is on cannot be seen at this zoom.
  function update() {
    const zoom = G.app.map.getZoom();
    for (const { layer, row, box, hint, count } of rows.values()) {
      count.textContent = layer.count.toLocaleString("zh-CN");
      count.title = `${layer.count} 个要素`;
      const words = zoom < layer.min_zoom ? "放大后显示" : zoom > layer.max_zoom ? "缩小后显示" : "";
      hint.hidden = !(box.checked && words);
      hint.textContent = words;
      row.classList.toggle("gm-out", box.checked && !!words);
    }
  }

  // --- grid filter ------------------------------------------------------------------------------------------------
  function gridFilter() {
    const grids = G.app.catalogue.layers.filter((one) => one.grid && one.count > 0);
    if (!grids.length) return null;
    const kind = G.h("select", { class: "gm-input", id: "gm-grid-kind" }, G.h("option", { value: "", text: "全区(不筛选)" }), grids.map((one) => G.h("option", { value: one.id, text: one.title })));
    const which = G.chooser.make({
      id: "gm-grid", label: "网格",
      onChoose: (grid) => (grid ? setFilter(G.app.layers[kind.value], grid) : clearFilter()),
    });
    which.withhold("先选网格类型");
    kind.addEventListener("change", async () => {
      const asked = kind.value;
      which.withhold(asked ? "读取中…" : "先选网格类型");
      clearFilter();
      if (!asked) return;
      try {
        const { grids } = await G.api.grids(asked);
        if (kind.value === asked) which.offer(grids.map((one) => ({ ...one, group: one.town })), `共 ${grids.length} 个,可搜索`);
      } catch (error) {
        which.withhold("读取失败");
        G.toast(error.message, { kind: "bad" });
      }
    });
    return G.h("section", { class: "gm-section" },
      G.h("h3", { class: "gm-section-title" }, G.icon("grid", 18), "网格筛选"),
      G.h("div", { class: "gm-filter" },
        G.h("label", { class: "gm-label", for: "gm-grid-kind", text: "网格类型" }), kind,
        G.h("label", { class: "gm-label", for: "gm-grid", text: "网格" }), which.box, which.list));
  }

  async function setFilter(layer, grid) {
    const [west, south, east, north] = grid.bbox;
    filter = { layer, code: grid.code, name: grid.name, geometry: null };
    G.app.map.fitBounds([[south, west], [north, east]], { ...roomPadding(), animate: false });
    G.emit("filter", filter);
    try {
      const answer = await G.api.items(layer.id, { code: grid.code, limit: 1 });
      const feature = (answer.features || [])[0];
      if (!feature || !filter || filter.code !== grid.code) return;
      filter.geometry = feature.geometry;
      drawMask(feature.geometry);
    } catch (error) {
      G.toast(error.message, { kind: "bad" });
    }
  }

  function roomPadding() {
    const room = G.panels.room();
    return { paddingTopLeft: [room.left + 20, room.top + 20], paddingBottomRight: [room.right + 20, room.bottom + 20] };
  }

  const WORLD = [[-85, -180], [-85, 180], [85, 180], [85, -180]];
  const THROUGH = { interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-mask" };
  const outerRings = (geometry) =>
    (geometry.type === "Polygon" ? [geometry.coordinates[0]] : geometry.coordinates.map((one) => one[0])).map((ring) => ring.map(([lon, lat]) => [lat, lon]));

  // Everything outside the grid is dimmed; its border is outlined.
  function drawMask(geometry) {
    if (mask) mask.remove();
    const holes = outerRings(geometry);
    mask = L.layerGroup([
      L.polygon([WORLD, ...holes], { ...THROUGH, stroke: false, fillColor: G.app.style.paper, fillOpacity: 0.7 }),
      ...holes.map((ring) => L.polygon(ring, { ...THROUGH, color: "#15366d", weight: 3, fill: false })),
    ], { pmIgnore: true }).addTo(G.app.map);
  }

  function clearFilter() {
    if (mask) mask.remove();
    mask = null;
    if (filter) {
      filter = null;
      G.emit("filter", null);
    }
  }

  // The ground beyond the district is there to orient oneself: it is veiled, so that the eye stays inside.
  async function veilOutside() {
    const layer = G.app.catalogue.layers.find((one) => one.basemap && one.grid && one.count > 0 && S().isArea(one));
    if (!layer) return;
    try {
      const answer = await G.api.items(layer.id, { limit: 10 });
      const holes = (answer.features || []).flatMap((one) => outerRings(one.geometry));
      if (holes.length) L.polygon([WORLD, ...holes], { ...THROUGH, stroke: false, fillColor: G.app.style.paper, fillOpacity: 0.55 }).addTo(G.app.map);
    } catch {
      // A map without its veil is a map all the same.
    }
  }

  // --- the ground below ----------------------------------------------------------------------------------------------
  function baseChoice() {
    const sources = G.app.catalogue.tile_sources || [];
    if (!sources.length) return null;
    const kept = G.store.view("base", "");
    const option = (value, title) => {
      const input = G.h("input", { type: "radio", name: "gm-base", value, checked: value === kept });
      input.addEventListener("change", () => setBase(value));
      return G.h("label", { class: "gm-check" }, input, G.h("span", { text: title }));
    };
    setBase(kept);
    return G.h("section", { class: "gm-section" },
      G.h("h3", { class: "gm-section-title" }, G.icon("base", 18), "底图"),
      G.h("div", { class: "gm-bases", role: "radiogroup", "aria-label": "底图" },
        option("", "本地矢量底图"),
        sources.map((one, i) => option(String(i), one.title + (one.datum === "gcj02" ? "(已纠偏)" : "")))));
  }

  function setBase(value) {
    if (raster) raster.remove();
    raster = null;
    G.store.setView("base", value);
    const source = value === "" ? null : (G.app.catalogue.tile_sources || [])[Number(value)];
    if (source) raster = G.datum.rasterLayer(source).addTo(G.app.map);
    G.tiles.ground("picture", !!source);
  }

  // --- the panel --------------------------------------------------------------------------------------------------------
  function render(panel) {
    rows.clear();
    G.replace(panel,
      G.h("header", { class: "gm-panel-head" }, G.h("div", { class: "gm-panel-title" }, G.h("h2", { text: "图层" })),
        G.h("button", { class: "gm-icon-button", type: "button", "aria-label": "收起图层面板", title: "收起", on: { click: () => G.panels.toggleLeft(false) } }, G.icon("left"))),
      G.h("div", { class: "gm-panel-body" }, gridFilter(), G.h("section", { class: "gm-section" }, tree(), dueKey()), baseChoice()));
    update();
  }

  // What the mark at markers and names of areas means.
  function dueKey() {
    const canvas = G.h("canvas", { class: "gm-swatch", "aria-hidden": "true" });
    canvas.width = 68;
    canvas.height = 48;
    canvas.style.width = "34px";
    canvas.style.height = "24px";
    const ctx = canvas.getContext("2d");
    ctx.scale(2, 2);
    S().dueMark(ctx, 9, 20, 16);
    return G.h("p", { class: "gm-due-key" }, canvas, G.h("span", { text: "逾期未核实(标在符号右上角、网格名称旁,放大后显示)" }));
  }

  async function refreshCounts() {
    try {
      const fresh = await G.api.catalogue();
      for (const layer of fresh.layers) if (G.app.layers[layer.id]) G.app.layers[layer.id].count = layer.count;
      G.app.catalogue.is_simulated = fresh.is_simulated;
      update();
      G.emit("counts");
    } catch {
      // Counts may wait for the next change.
    }
  }

  G.layers = {
    render, veilOutside, initial, setVisible, update, clearFilter, refreshCounts: G.debounce(refreshCounts, 1500),
    get filter() {
      return filter;
    },
  };
})(window.Gridmap);
