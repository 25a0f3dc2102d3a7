// Two dates side by side: what was added, removed, moved and changed, each with a shape and a colour of its own.
"use strict";
(function (G) {
  const KINDS = {
    added: { title: "新增", color: "#0f6131", dash: null },
    removed: { title: "删除", color: "#a3161b", dash: "4 5" },
    moved: { title: "移动或改边界", color: "#1f4e9d", dash: "10 5" },
    changed: { title: "内容有变", color: "#8a4500", dash: "2 4" },
  };
  // More rows than this are counted and not listed.
  const MOST_ROWS = 200;
  let drawn = null;
  let isOpen = false;

  // --- marks on the map ---------------------------------------------------------------------------------------------
  // A plus, a cross, an arrow's tail, a diamond: told apart without colour.
  function mark(kind, size = 26) {
    const NS = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(NS, "svg");
    const shapes = {
      added: "M12 3v18M3 12h18", removed: "M4 4l16 16M20 4L4 20",
      moved: "M4 20L19 5M9 5h10v10", changed: "M12 2l10 10-10 10L2 12z",
    };
    for (const [name, value] of Object.entries({ viewBox: "-2 -2 28 28", width: size, height: size, "aria-hidden": "true" })) svg.setAttribute(name, value);
    for (const [stroke, width] of [["#fff", 8], [KINDS[kind].color, 4]]) {
      const path = document.createElementNS(NS, "path");
      for (const [name, value] of Object.entries({ d: shapes[kind], fill: "none", stroke, "stroke-width": width, "stroke-linecap": "round" })) path.setAttribute(name, value);
      svg.append(path);
    }
    return svg;
  }

  const quiet = { interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-outline" };
  const middle = (geometry) => L.geoJSON(geometry).getBounds().getCenter();

  function drawOne(kind, one) {
    const { color, dash } = KINDS[kind];
    const now = one.after || one.before;
    const look = { ...quiet, color, weight: 3, dashArray: dash, fill: false };
    const parts = [L.marker(middle(now), { ...quiet, keyboard: false, icon: L.divIcon({ className: "gm-compare-mark", html: mark(kind), iconSize: [26, 26] }) })];
    if (now.type !== "Point") parts.push(L.geoJSON(now, { ...look, style: look }));
    if (kind === "moved" && one.before) {
      const ends = [middle(one.before), middle(one.after)];
      if (one.before.type === "Point") parts.push(L.polyline(ends, { ...look, weight: 4 }), L.circleMarker(ends[0], { ...quiet, radius: 7, color, weight: 3, dashArray: "3 3", fill: false }));
      else parts.push(L.geoJSON(one.before, { ...look, style: { ...look, color: "#6b7482", dashArray: "4 4" } }));
    }
    return L.layerGroup(parts, { pmIgnore: true });
  }

  function draw(layers) {
    clear();
    const all = layers.flatMap((layer) => Object.keys(KINDS).flatMap((kind) => layer[kind].map((one) => drawOne(kind, one))));
    drawn = L.layerGroup(all, { pmIgnore: true }).addTo(G.app.map);
  }

  function clear() {
    if (drawn) drawn.remove();
    drawn = null;
  }

  // --- the panel -------------------------------------------------------------------------------------------------------
  function open(at) {
    if (G.edit.isBusy()) return G.edit.remind();
    G.select.close();
    const earlier = at ? new Date(at) : new Date(Math.max(G.past.first, Date.now() - 30 * 86400000));
    const date = (id, title, time) => {
      const input = G.h("input", { type: "datetime-local", class: "gm-input", id, step: "1", value: G.wall(time) });
      return [G.h("label", { class: "gm-label", for: id, text: title }), input];
    };
    const from = date("gm-compare-from", "从", earlier);
    const to = date("gm-compare-to", "到", new Date(Date.now() + 60000));
    const result = G.h("div", { "aria-live": "polite", id: "gm-compare-result" });
    const run = G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "对比" });
    run.addEventListener("click", async () => {
      run.disabled = true;
      await look(from[1].value, to[1].value, result);
      run.disabled = false;
    });
    isOpen = true;
    G.details.show({
      title: "对比两个日期", subtitle: "已打开的图层(不含底图)",
      body: [from, to, G.h("ul", { class: "gm-legend gm-compare-legend" }, Object.entries(KINDS).map(([kind, one]) => G.h("li", {}, mark(kind, 22), G.h("span", { text: one.title })))), result],
      footer: G.h("div", { class: "gm-actions" }, run, G.h("button", { class: "gm-button", type: "button", text: "关闭", on: { click: close } })),
      onClose: close, label: "对比两个日期",
    });
    from[1].focus();
  }

  async function look(from, to, host) {
    const layers = G.app.catalogue.layers.filter((one) => G.tiles.isVisible(one.id) && !one.basemap).map((one) => one.id);
    if (!layers.length) return G.replace(host, G.h("p", { class: "gm-note-plain", text: "请先在图层面板打开要对比的图层。" }));
    if (!from || !to) return G.replace(host, G.h("p", { class: "gm-fault", text: "请填写两个日期。" }));
    // A second ends with its last moment; one that has not ended is now.
    const end = G.fromWall(to).getTime() + 999;
    const until = end < Date.now() ? G.rfc3339(new Date(end)) : null;
    G.replace(host, G.h("p", { class: "gm-hint", text: "正在对比…" }));
    try {
      const found = (await G.api.compare(layers, G.rfc3339(G.fromWall(from)), until)).layers;
      if (!isOpen) return;
      draw(found);
      G.replace(host, found.map(section), !found.some(differs) && G.h("p", { class: "gm-note-plain", text: "两个日期之间没有变化。" }));
    } catch (error) {
      clear();
      G.replace(host, G.h("p", { class: "gm-fault", text: error.message }));
    }
  }

  const differs = (layer) => Object.keys(KINDS).some((kind) => layer.counts[kind] > 0);

  function section(layer) {
    if (!differs(layer)) return null;
    const head = Object.entries(KINDS).filter(([kind]) => layer.counts[kind]).map(([kind, one]) => `${one.title} ${layer.counts[kind]}`).join(",");
    const rows = Object.keys(KINDS).flatMap((kind) => layer[kind].map((one) => row(layer, kind, one)));
    const rest = Object.values(layer.counts).reduce((a, b) => a + b, 0) - Math.min(rows.length, MOST_ROWS);
    return [
      G.h("h3", { text: `${layer.title}:${head}` }),
      G.h("ul", { class: "gm-list" }, rows.slice(0, MOST_ROWS)),
      rest > 0 && G.h("p", { class: "gm-hint", text: `另有 ${rest} 项未列出。` }),
    ];
  }

  function row(layer, kind, one) {
    const words = [
      kind === "moved" && one.moved_m >= 1 && `中心移动 ${Math.round(one.moved_m)} 米`,
      kind === "changed" && one.changes.map((each) => `${each.title}:${each.before_text || "(空)"} → ${each.after_text || "(空)"}`).join(";"),
    ].filter(Boolean).join(";");
    return G.h("li", {}, G.h("button", { class: "gm-hit", type: "button", on: { click: () => G.select.flyTo(one.after || one.before, G.app.layers[layer.layer]) } },
      mark(kind, 22), G.h("span", { class: "gm-hit-words" }, G.h("strong", { text: one.title || "(未命名)" }), G.h("span", { text: [KINDS[kind].title, words].filter(Boolean).join(" · ") }))));
  }

  function close() {
    clear();
    if (!isOpen) return;
    isOpen = false;
    G.details.close();
  }
  // Whatever else opens in the panel takes its place; the marks stay only with their list.
  G.on("layout", () => {
    if (isOpen && !document.getElementById("gm-compare-result")) {
      isOpen = false;
      clear();
    }
  });

  G.compare = { open, close };
})(window.Gridmap);
