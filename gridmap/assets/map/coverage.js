// The map of the coverage page: covered shares, reach, responsibility areas and gaps beside the page's figures.
// The page says in one element of its document what is asked; shapes come over HTTP; the frame is never rebuilt.
"use strict";
(function (G) {
  const byId = (id) => document.getElementById(id);
  const isHere = () => G.app.mode === "coverage";
  const page = () => window.parent.document;
  // What lies below: where people live, roads and water; the points are drawn by ourselves.
  const GROUND = ["district", "town", "road", "barrier", "crossing", "police_grid"];
  // Above a picture of the ground, below the tiles.
  const SHADE = 0.8;
  const PANES = [["gm-cover-grids", 191], ["gm-cover-reach", 192], ["gm-cover-gaps", 193], ["gm-cover-areas", 403], ["gm-cover-ways", 405], ["gm-cover-points", 620]];
  const KINDS = {
    grids: "网格覆盖率",
    gaps: "死角",
    reach: "可达范围",
    areas: "责任区",
  };
  // What a tab of the page shows when it is entered.
  const FIRST = { today: { grids: true, gaps: false, reach: false, areas: false }, gaps: { grids: false, gaps: true, reach: false, areas: false }, whatif: { grids: true, gaps: true, reach: false, areas: false }, siting: { grids: true, gaps: true, reach: false, areas: false } };

  const C = (G.coverage = {
    told: null, // the page's last message
    report: null, // the answer to its question
    shown: { ...FIRST.today },
    gaps: [], // features of the question without unsaved changes
    layers: {},
    failed: {},
  });
  let heard = "";
  let asked = "";
  const underway = new Set();

  // --- numbers as people read them ------------------------------------------------------------------------------------------
  C.people = (value) => (value === null || value === undefined ? "少于 5" : Math.round(value).toLocaleString("zh-CN"));
  C.share = (value) => (value === null || value === undefined ? "—" : `${(value * 100).toFixed(1)}%`);
  C.costText = (cost) => {
    if (cost === null || cost === undefined) return "不可达";
    return C.report && C.report.method.unit === "s" ? `${(cost / 60).toFixed(1)} 分钟` : `${Math.round(cost).toLocaleString("zh-CN")} 米`;
  };
  const unit = () => (C.report ? C.report.method.demand_unit : "人");

  // --- what the page says ---------------------------------------------------------------------------------------------------
  function listen() {
    const look = () => {
      const found = page().querySelector("[data-gridmap-coverage]");
      const text = found ? found.dataset.gridmapCoverage : "";
      if (!text || text === heard) return;
      heard = text;
      take(JSON.parse(text));
    };
    let due = 0;
    const soon = () => {
      if (!due) due = requestAnimationFrame(() => ((due = 0), look()));
    };
    const watch = new MutationObserver(soon);
    watch.observe(page().body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-gridmap-coverage"] });
    // Rows of the page's lists lead to their place without another run of the page.
    const click = (event) => {
      const row = event.target.closest && event.target.closest("[data-gridmap-fly]");
      if (!row) return;
      page().querySelectorAll("[data-gridmap-fly][aria-current]").forEach((one) => one.removeAttribute("aria-current"));
      row.setAttribute("aria-current", "true");
      const [lon, lat] = row.dataset.gridmapFly.split(",").map(Number);
      C.fly(lon, lat, row.dataset.gridmapGap);
    };
    page().addEventListener("click", click);
    window.addEventListener("pagehide", () => {
      watch.disconnect();
      page().removeEventListener("click", click);
    });
    look();
  }

  // To the page: only what it needs for its next run. A later word replaces an earlier one, so each says all.
  let word = {};
  C.tell = (part) => {
    word = { ...word, ...part, at: (word.at || 0) + 1 };
    if (window.Streamlit) window.Streamlit.setComponentValue(word);
  };

  function take(told) {
    const before = C.told;
    C.told = told;
    if (!before || before.tab !== told.tab) {
      C.shown = { ...FIRST[told.tab], ...G.store.view(`coverage.${told.tab}`, {}) };
      document.body.dataset.tab = told.tab;
    }
    const question = JSON.stringify([told.question, told.scenario && told.scenario.id, told.scenario && told.scenario.revision, told.sequence]);
    G.emit("coverage-told", { told, isNew: question !== asked });
    if (question !== asked) {
      asked = question;
      fresh();
    } else {
      drawPoint();
      show();
    }
    sites();
    if (told.fly && (!before || !before.fly || before.fly[2] !== told.fly[2])) C.fly(told.fly[0], told.fly[1]);
  }

  // The members of every request: the question, with the stored scenario where one is open.
  C.query = () => {
    const { scenario } = C.told;
    return { ...C.told.question, scenario: scenario ? scenario.id : undefined };
  };

  // --- asking ---------------------------------------------------------------------------------------------------------------------
  async function ask(name, run, then) {
    const mark = `${asked}|${name}`;
    underway.add(name);
    delete C.failed[name];
    state();
    try {
      let answer;
      try {
        answer = await run();
      } catch (error) {
        // A first answer may take longer than patience lasts; the server keeps what it has made.
        if (!(error instanceof G.api.Unreachable) || mark !== `${asked}|${name}`) throw error;
        answer = await run();
      }
      if (mark !== `${asked}|${name}`) return;
      then(answer);
    } catch (error) {
      if (mark !== `${asked}|${name}`) return;
      if (!(name in KINDS) || C.shown[name]) C.failed[name] = error.message || String(error);
    } finally {
      if (mark === `${asked}|${name}`) underway.delete(name);
      state();
    }
  }

  const shapes = (kind, more = {}) => G.api.get("/api/coverage/shapes", { ...C.query(), kind, ...more });

  function fresh() {
    C.report = null;
    C.gaps = [];
    underway.clear();
    C.failed = {};
    for (const kind of Object.keys(C.layers)) drop(kind);
    ask("report", () => G.api.get("/api/coverage", C.query()), (answer) => {
      C.report = answer;
      C.layers.points = true;
      G.emit("coverage-report", answer);
      points();
      paint();
      legend();
    });
    show();
  }

  function drop(kind) {
    if (C.layers[kind] && C.layers[kind].remove) C.layers[kind].remove();
    delete C.layers[kind];
  }

  // --- what is drawn --------------------------------------------------------------------------------------------------------------
  const quiet = { pmIgnore: true, snapIgnore: true, interactive: false };

  function show() {
    for (const kind of Object.keys(KINDS)) {
      if (!C.shown[kind]) {
        drop(kind);
        delete C.failed[kind];
      }
      else if (!C.layers[kind] && !underway.has(kind)) MAKE[kind]();
    }
    legend();
    state();
  }

  const MAKE = {
    grids() {
      const layer = C.told.question.by;
      ask("grids", () => outlines(layer), (features) => {
        if (!C.shown.grids) return;
        drop("grids");
        C.layers.grids = L.geoJSON(features, { ...quiet, pane: "gm-cover-grids", renderer: C.canvases.grids, style: () => ({ color: "#5c6675", weight: 0.8, opacity: 0.7, fillOpacity: SHADE, fillColor: G.marks.UNKNOWN.color }) }).addTo(G.app.map);
        paint();
      });
    },
    gaps() {
      ask("gaps", () => shapes("gaps"), (answer) => {
        C.gaps = answer.features;
        if (C.shown.gaps) C.drawGaps(C.gaps);
        G.emit("coverage-gaps");
      });
    },
    reach() {
      const { point, bands } = C.told;
      if (point) return drawPoint();
      ask("reach", () => shapes("reach", { bands }), (answer) => {
        if (C.shown.reach && !C.told.point) drawReach(answer);
      });
    },
    areas() {
      ask("areas", () => shapes("areas"), (answer) => {
        if (!C.shown.areas) return;
        drop("areas");
        const { color, dash, weight } = G.marks.AREA;
        C.layers.areas = L.geoJSON(answer, { ...quiet, pane: "gm-cover-areas", renderer: C.canvases.areas, style: { color, weight, dashArray: dash, fill: false } }).addTo(G.app.map);
      });
    },
  };

  // Outlines of grids do not change with the question.
  const known = {};
  async function outlines(layer) {
    const key = `${layer}@${C.told.sequence}`;
    known[key] = known[key] || G.api.items(layer, { limit: 10000 }).then((answer) => answer.features.filter((one) => one.geometry));
    try {
      return await known[key];
    } catch (error) {
      delete known[key];
      throw error;
    }
  }

  // Colours of grids: the report's, with what an unsaved change does on top.
  let touched = new Map();
  function paint() {
    if (!C.layers.grids || !C.report) return;
    const share = new Map(C.report.groups.map((one) => [one.code, one.people ? one.covered_share : null]));
    for (const [code, one] of touched) share.set(code, one.covered_share);
    C.layers.grids.eachLayer((one) => {
      const code = one.feature.properties.code;
      const color = G.marks.step(share.has(code) ? share.get(code) : null).color;
      const isTouched = touched.has(code);
      if (one.options.fillColor === color && one.isTouched === isTouched) return;
      one.isTouched = isTouched;
      one.setStyle({ fillColor: color, fillOpacity: SHADE, color: isTouched ? "#0a0f1a" : "#5c6675", weight: isTouched ? 2.5 : 0.8 });
    });
  }
  C.repaint = (groups) => {
    touched = new Map(groups.map((one) => [one.code, one]));
    paint();
  };

  C.drawGaps = (features) => {
    drop("gaps");
    const { color, dash, weight, hatch } = G.marks.GAP;
    C.layers.gaps = L.geoJSON(features, { ...quiet, pane: "gm-cover-gaps", renderer: C.canvases.gaps, style: { color, weight, dashArray: dash, fill: false, hatch, smoothFactor: 1.5 } }).addTo(G.app.map);
  };

  // Wide bands first, so that narrow ones lie on top.
  function drawReach(reach) {
    drop("reach");
    const rising = [...new Set(reach.features.map((one) => one.properties.cost))].sort((a, b) => a - b);
    const isOne = new Set(reach.features.map((one) => one.properties.id)).size < 2;
    const style = (one) => {
      const { color, dash, weight, fill } = G.marks.BANDS[Math.min(rising.indexOf(one.properties.cost), 2)];
      return { color, weight: isOne ? weight : weight / 2, dashArray: dash, fillColor: color, fillOpacity: fill };
    };
    const wide = [...reach.features].sort((a, b) => b.properties.cost - a.properties.cost);
    C.layers.reach = L.geoJSON(wide, { ...quiet, pane: "gm-cover-reach", renderer: C.canvases.reach, style }).addTo(G.app.map);
    C.bands = rising;
    legend();
  }

  // One point's reach in bands, and its responsibility area.
  let drawnPoint = "";
  let isPointed = false;
  function drawPoint() {
    const { point, bands, tab } = C.told;
    const id = tab === "today" ? point : null;
    const mark = `${asked}|${id}|${bands}`;
    if (mark === drawnPoint && (C.layers.reach || !id)) return;
    drawnPoint = mark;
    drop("reach");
    drop("own");
    if (!id) {
      if (isPointed) C.shown.reach = false;
      isPointed = false;
      return;
    }
    isPointed = true;
    C.shown.reach = true;
    ask("reach", async () => [await shapes("reach", { point: id, bands }), await shapes("areas")], ([reach, areas]) => {
      if (drawnPoint !== mark) return;
      drawReach(reach);
      const own = areas.features.filter((one) => one.properties.id === id);
      const { color, dash, weight } = G.marks.AREA;
      C.layers.own = L.geoJSON(own, { ...quiet, pane: "gm-cover-areas", renderer: C.canvases.areas, style: { color, weight: weight + 0.5, dashArray: dash, fill: false } }).addTo(G.app.map);
      const bounds = C.layers.reach.getBounds();
      if (bounds.isValid()) G.app.map.fitBounds(bounds, { paddingTopLeft: [20, 64], paddingBottomRight: [20, 44], maxZoom: 15, animate: false });
      legend();
    });
  }

  // The points, as the question and a stored scenario have them. In 推演 its own script draws them.
  function points() {
    if (C.markers) C.markers.remove();
    C.markers = L.layerGroup([], { pmIgnore: true }).addTo(G.app.map);
    if (!C.report) return;
    if (C.told.tab === "whatif") return G.emit("coverage-points");
    for (const one of C.report.points) {
      const state = one.change === "added" || one.change === "moved" ? one.change : one.state;
      C.markers.addLayer(C.marker(one, state).on("click", () => pick(one)));
    }
  }
  C.points = points;

  C.marker = (one, state, options = {}) => {
    const title = `${one.name || one.code || "新增站点"} · ${G.marks.STATES[state].title}`;
    const marker = L.marker([one.lat, one.lon], { icon: G.marks.pointIcon(state), pane: "gm-cover-points", pmIgnore: true, snapIgnore: true, title, alt: title, keyboard: true, riseOnHover: true, ...options });
    marker.on("add", () => marker.getElement().addEventListener("keydown", (event) => {
      if (event.key === "Enter") marker.fire("click", { latlng: marker.getLatLng() });
    }));
    return marker;
  };

  function pick(one) {
    if (C.told.tab === "today") C.tell({ point: one.id, picked: Date.now() });
    else G.toast(`${one.name || one.code}:${{ open: "开放", closed: "未开放", off_network: "离道路过远" }[one.state]}`, { key: "pick" });
  }

  // Sites that a solver chose and places that are being compared.
  let drawnSites = "";
  function sites() {
    const { sites: chosen, candidates, closed, tab } = C.told;
    const text = JSON.stringify([chosen, candidates, closed, tab]);
    if (text === drawnSites) return;
    const isAnswer = drawnSites && tab === "siting";
    drawnSites = text;
    drop("sites");
    const all = [
      ...(tab === "siting" ? (chosen || []).map((one) => C.marker(one, "chosen", { zIndexOffset: 1000 })) : []),
      ...(tab === "siting" ? (closed || []).map((one) => C.marker(one, "closed")) : []),
      ...(tab === "whatif" ? (candidates || []).map((one) => C.marker(one, "candidate", { interactive: false, keyboard: false, zIndexOffset: -1000 })) : []),
    ];
    if (!all.length) return;
    C.layers.sites = L.featureGroup(all, { pmIgnore: true }).addTo(G.app.map);
    // A new answer is shown whole, beside the legend.
    if (isAnswer) G.app.map.fitBounds(C.layers.sites.getBounds(), { ...beside(), maxZoom: 14, animate: false });
  }

  // What the panels of this page cover at the sides of the map.
  function beside() {
    const wide = (id) => (byId(id) && !byId(id).hidden ? byId(id).offsetWidth : 0);
    return { paddingTopLeft: [wide("gm-cover-legend") + 30, 64], paddingBottomRight: [wide("gm-whatif") + 84, 60] };
  }

  // --- a place to look at -----------------------------------------------------------------------------------------------------------
  let ring = null;
  C.fly = (lon, lat, gap) => {
    const { map } = G.app;
    if (ring) ring.remove();
    map.setView([lat, lon], Math.max(14, map.getZoom()), { animate: false });
    ring = L.marker([lat, lon], { ...quiet, keyboard: false, pane: "gm-cover-ways", icon: L.divIcon({ className: "gm-ring", iconSize: [34, 34] }) }).addTo(map);
    document.body.dataset.flown = `${lon},${lat}`;
    const feature = gap ? C.gaps.find((one) => String(one.properties.rank) === gap) : null;
    const bounds = feature ? L.geoJSON(feature).getBounds() : L.latLngBounds([lat, lon], [lat, lon]);
    if (bounds.isValid()) map.fitBounds(bounds, { ...beside(), maxZoom: feature ? 15 : map.getZoom(), animate: false });
    if (!map.getBounds().contains([lat, lon])) map.panTo([lat, lon], { animate: false });
  };

  // The place that was looked at comes out from under a panel that has opened over it.
  C.uncover = () => {
    if (!ring) return;
    const { map } = G.app;
    const size = map.getSize();
    const at = map.latLngToContainerPoint(ring.getLatLng());
    const { paddingTopLeft, paddingBottomRight } = beside();
    const [west, east] = [paddingTopLeft[0], size.x - paddingBottomRight[0]];
    if (at.x < west || at.x > east) map.panBy([at.x - (west + east) / 2, at.y - size.y / 2], { animate: false });
  };

  // --- legend and switches -----------------------------------------------------------------------------------------------------------
  function legend() {
    const box = byId("gm-cover-legend");
    if (!box || !C.told) return;
    const { STEPS, BANDS, STATES } = G.marks;
    const row = (key, words) => G.h("li", {}, key, G.h("span", { text: words }));
    const bandWords = (at) => (C.bands && C.bands[at] !== undefined ? `${C.costText(C.bands[at])}以内` : null);
    const keys = {
      grids: () => [...STEPS, G.marks.UNKNOWN].map((one) => row(G.marks.stepKey(one), one.title)),
      gaps: () => [row(G.marks.gapKey(), "阈值内到不了任何站点")],
      reach: () => (C.layers.reach && C.bands ? BANDS.map((one, at) => bandWords(at) && row(G.marks.bandKey(one), bandWords(at))) : []),
      areas: () => [row(G.marks.areaKey(), "到该站点比到其他站点近")],
    };
    const kinds = Object.entries(KINDS).filter(([kind]) => kind !== "reach" || C.told.tab === "today");
    const states = [...new Set([...(C.report ? C.report.points.map((one) => one.change && one.change !== "closed" ? one.change : one.state) : []), ...(C.told.tab === "whatif" ? ["moved", "added"] : []), ...(C.told.sites && C.told.tab === "siting" ? ["chosen"] : []), ...(C.told.candidates && C.told.tab === "whatif" ? ["candidate"] : [])])];
    const isOpen = G.store.view("coverage.legend", G.app.map.getSize().y > 480);
    const head = G.h("button", { class: "gm-group", type: "button", "aria-expanded": String(isOpen) }, G.icon("down", 18), "图例与图层");
    head.addEventListener("click", () => {
      G.store.setView("coverage.legend", !isOpen);
      legend();
    });
    G.replace(box, head, isOpen && G.h("div", { class: "gm-cover-keys" },
      kinds.map(([kind, title]) => {
        const input = G.h("input", { type: "checkbox", checked: !!C.shown[kind], data: { kind } });
        input.addEventListener("change", () => {
          C.shown[kind] = input.checked;
          G.store.setView(`coverage.${C.told.tab}`, { ...C.shown });
          if (kind === "reach") drawnPoint = "";
          if (kind === "reach" && !input.checked) drop("own");
          show();
          G.emit("coverage-shown");
        });
        return G.h("div", { class: "gm-cover-kind" }, G.h("label", { class: "gm-check" }, input, G.h("span", { text: title })), C.shown[kind] && G.h("ul", {}, keys[kind]()));
      }),
      states.length > 0 && G.h("ul", { class: "gm-cover-states" }, states.map((one) => row(G.marks.pointMark(one, 20), STATES[one].title)))));
  }
  C.legend = legend;

  // --- waiting, failing, nothing ---------------------------------------------------------------------------------------------------------
  let slow = 0;
  function state() {
    const box = byId("gm-cover-state");
    if (!box) return;
    document.body.dataset.coverage = underway.size ? "loading" : Object.keys(C.failed).length ? "failed" : "ready";
    clearTimeout(slow);
    const failed = Object.entries(C.failed);
    if (failed.length) {
      box.hidden = false;
      box.className = "gm-cover-state gm-cover-bad";
      const retry = () => {
        C.failed = {};
        if (!C.report) return fresh();
        drawnPoint = "";
        drawPoint();
        show();
      };
      return G.replace(box, G.icon("warn", 18), G.h("span", { text: failed[0][1], role: "alert" }), G.h("button", { class: "gm-button gm-button-small", type: "button", text: "重试", on: { click: retry } }));
    }
    if (underway.size) {
      slow = setTimeout(() => {
        box.hidden = false;
        box.className = "gm-cover-state";
        const words = [...underway].map((one) => ({ report: "覆盖结果", ...KINDS })[one]).filter(Boolean).join("、");
        G.replace(box, G.h("span", { class: "gm-spinner gm-spinner-small", "aria-hidden": "true" }), G.h("span", { text: `正在计算${words}…`, role: "status" }));
      }, 400);
      return;
    }
    const nothing = C.report && (C.report.points.length === 0 ? "没有站点:可以切换到“推演”放置第一个站点。" : !(C.report.total.people > 0) && !C.report.total.is_hidden ? "没有需求人口:请先导入居住区及人口数。" : "");
    box.hidden = !nothing;
    box.className = "gm-cover-state gm-cover-none";
    if (nothing) G.replace(box, G.icon("warn", 18), G.h("span", { text: nothing }));
  }

  // The whole district beside the legend, unless the address says where to look.
  function whole() {
    const { bounds } = G.app.catalogue.district;
    if (!bounds || window.parent.location.hash.split("/").length >= 3) return;
    const [west, south, east, north] = bounds;
    const { map } = G.app;
    // A map beside figures is small: whole levels would leave the district half of what room there is.
    map.options.zoomSnap = 0.25;
    map.fitBounds([[south, west], [north, east]], { paddingTopLeft: [10, 10], paddingBottomRight: [10, 40], animate: false });
    // What room there is goes to the legend's side.
    const free = map.getSize().x - map.latLngToContainerPoint([north, east]).x - 70;
    if (free > 0) map.panBy([-Math.min(free, 110), 0], { animate: false });
  }

  // --- the beginning ------------------------------------------------------------------------------------------------------------------------
  // On this page nothing is edited: the tools of the main map stand back before it makes its frame.
  function standBack() {
    const { initial } = G.layers;
    const { clicked } = G.select;
    const { editable, resumeOpen } = G.edit;
    G.layers.initial = () => (isHere() ? G.app.catalogue.layers.map((one) => one.id).filter((one) => GROUND.includes(one)) : initial());
    G.select.clicked = (event) => (isHere() ? G.emit("coverage-click", event) : clicked(event));
    G.edit.editable = (...rest) => (isHere() ? [] : editable(...rest));
    G.edit.resumeOpen = () => (isHere() ? false : resumeOpen());
  }
  standBack();

  G.on("ready", () => {
    if (!isHere()) return;
    const { map } = G.app;
    document.title = "覆盖分析";
    document.body.classList.add("gm-mode-coverage");
    G.panels.toggleLeft(false);
    C.canvases = {};
    for (const [name, z] of PANES) {
      const pane = map.createPane(name);
      pane.style.zIndex = z;
      if (name !== "gm-cover-points") pane.style.pointerEvents = "none";
    }
    // What is shaded lies below the names and roads of the tiles.
    G.tiles.ground("shading", true);
    const size = () => document.body.classList.toggle("gm-cover-far", map.getZoom() < 12);
    map.on("zoomend", size);
    size();
    for (const kind of ["grids", "reach", "areas", "gaps"]) C.canvases[kind] = G.marks.canvas(`gm-cover-${kind}`);
    byId("gm").append(
      G.h("section", { class: "gm-panel gm-cover-legend", id: "gm-cover-legend", "aria-label": "图例与图层" }),
      G.h("div", { class: "gm-cover-state", id: "gm-cover-state", hidden: true }));
    G.emit("coverage-ready");
    listen();
    whole();
  });
})(window.Gridmap);
