// 推演: points in the hand. Each move of the mouse asks the server once it has answered the last; the newest answer wins.
"use strict";
(function (G) {
  const C = G.coverage;
  const byId = (id) => document.getElementById(id);
  const isOpen = () => C.told && C.told.tab === "whatif";
  const OPS = { move: "移动", add: "新增", close: "裁撤站点", bridge: "架桥", block: "封路" };
  // Gaps cost more than figures: they come along with every step while they are quick, else when the hand rests.
  const QUICK_MS = 150;
  const KEPT_LAGS = 400;

  const W = (G.whatif = {
    changes: [],
    base: null, // the stored scenario that the changes began with
    answer: null,
    lags: [], // milliseconds from a move of the mouse to the figures on the screen
  });
  let past = [];
  let tool = null;
  let bridge = [];
  let selected = null; // id of a point, or the place of an added one among the changes
  let fault = "";
  const roads = {};
  let marks = null;

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const isChanged = () => !same(W.changes, W.base ? W.base.changes : []);
  const pointOf = (id) => C.report && C.report.points.find((one) => one.id === id);
  const nameOf = (id) => {
    const one = pointOf(id);
    return one ? one.name || one.code : "站点";
  };

  // --- asking -----------------------------------------------------------------------------------------------------------
  let isBusy = false;
  let due = null;
  let gapsMs = 0;
  let resting = 0;

  // `changes` as they stand at this moment of a drag; the one in the hand comes last, so that it is quick.
  function want(changes, { since = null, isMoving = false } = {}) {
    due = { changes, since, gaps: C.shown.gaps && (!isMoving || gapsMs < QUICK_MS) };
    clearTimeout(resting);
    if (isMoving && C.shown.gaps && !due.gaps) resting = setTimeout(() => want(changes), 180);
    run();
  }

  async function run() {
    if (isBusy || !due || !C.told) return;
    const now = due;
    due = null;
    isBusy = true;
    document.body.dataset.preview = "asking";
    const began = performance.now();
    try {
      const body = { ...C.told.question, changes: now.changes, gaps: !!now.gaps };
      const { body: answer } = await G.api.request("POST", "/api/coverage/preview", { json: body });
      if (now.gaps) gapsMs = performance.now() - began;
      const wasWrong = !!fault;
      fault = "";
      if (isOpen()) take(answer, now);
      if (wasWrong) card();
    } catch (error) {
      // What cannot be counted leaves no figures of before beside its words.
      fault = error.message || String(error);
      W.answer = null;
      C.repaint([]);
      if (C.layers.gaps) C.drawGaps(C.gaps);
      card();
    }
    isBusy = false;
    if (due) run();
    else document.body.dataset.preview = "done";
  }

  function take(answer, asked) {
    W.answer = answer;
    C.repaint(answer.groups);
    gaps();
    figures();
    if (asked.since === null) return;
    requestAnimationFrame(() => {
      W.lags.push(performance.now() - asked.since);
      if (W.lags.length > KEPT_LAGS) W.lags.shift();
    });
  }

  // Today's gaps, those of touched grids as they would be.
  function gaps() {
    if (!W.answer || !W.answer.gaps || !C.shown.gaps) return;
    const gone = new Set(W.answer.gaps.groups);
    C.drawGaps([...C.gaps.filter((one) => !gone.has(one.properties.grid_code)), ...W.answer.gaps.features]);
  }

  // --- changing -----------------------------------------------------------------------------------------------------------
  function set(changes, { isKept = true } = {}) {
    if (isKept) past.push(W.changes);
    W.changes = changes;
    G.store.setWork("whatif", changes.length ? { changes, base: W.base } : null);
    C.tell({ changes, base: W.base ? W.base.id : null });
    draw();
    card();
    want(changes);
  }

  const without = (id) => W.changes.filter((one) => !(["move", "close"].includes(one.op) && one.id === id));
  const rounded = ({ lat, lng }) => ({ lon: Number(lng.toFixed(6)), lat: Number(lat.toFixed(6)) });
  const moved = (id, latlng) => [...without(id), { op: "move", id, ...rounded(latlng) }];
  // The point in the hand comes last: that is the one the server has ready.
  const movedAdded = (at, latlng) => [...W.changes.filter((_, index) => index !== at), { ...W.changes[at], ...rounded(latlng) }];

  function undo() {
    if (!past.length) return;
    set(past.pop(), { isKept: false });
  }

  // --- what is drawn ------------------------------------------------------------------------------------------------------------
  const quiet = { pmIgnore: true, snapIgnore: true, interactive: false, pane: "gm-cover-ways" };

  function draw() {
    if (marks) marks.remove();
    marks = null;
    if (!isOpen() || !C.report) return;
    marks = L.layerGroup([], { pmIgnore: true }).addTo(G.app.map);
    const move = new Map(W.changes.filter((one) => one.op === "move").map((one) => [one.id, one]));
    const closed = new Set(W.changes.filter((one) => one.op === "close").map((one) => one.id));
    for (const one of C.report.points) {
      const to = move.get(one.id);
      const state = closed.has(one.id) ? "closed" : to ? "moved" : one.state;
      if (to) marks.addLayer(L.polyline([[one.lat, one.lon], [to.lat, to.lon]], { ...quiet, color: "#6a3fa0", weight: 2.5, dashArray: "3 6" }));
      const marker = C.marker(to ? { ...one, ...to } : one, state, { draggable: state !== "closed" && one.state !== "closed" });
      held(marker, (latlng) => moved(one.id, latlng));
      marks.addLayer(marker.on("click", (event) => (tool ? clicked(event) : select(one.id))));
    }
    W.changes.forEach((one, at) => {
      if (one.op === "add") {
        const marker = C.marker({ ...one, name: one.name || "新增站点" }, "added", { draggable: true });
        held(marker, (latlng) => movedAdded(at, latlng));
        marks.addLayer(marker.on("click", (event) => (tool ? clicked(event) : select(at))));
      } else if (one.op === "bridge") {
        const line = one.line.map(([lon, lat]) => [lat, lon]);
        marks.addLayer(L.polyline(line, { ...quiet, color: "#fff", weight: 9 }));
        marks.addLayer(L.polyline(line, { ...quiet, color: "#0f6131", weight: 5 }));
      } else if (one.op === "block") blocked(one.id);
    });
  }

  async function blocked(id) {
    try {
      roads[id] = roads[id] || (await G.api.element("road", id)).feature || (await G.api.element("road", id));
    } catch {
      return;
    }
    if (!marks || !W.changes.some((one) => one.op === "block" && one.id === id)) return;
    for (const style of [{ color: "#fff", weight: 8 }, { color: "#a3161b", weight: 5, dashArray: "2 8" }]) marks.addLayer(L.geoJSON(roads[id].geometry, { ...quiet, style }));
  }

  // A marker that asks at every move of the hand and is written down when it is let go.
  function held(marker, changed) {
    marker.on("drag", () => want(changed(marker.getLatLng()), { since: performance.now(), isMoving: true }));
    marker.on("dragend", () => set(changed(marker.getLatLng())));
  }

  function select(what) {
    selected = what;
    card();
  }

  // --- tools -----------------------------------------------------------------------------------------------------------------------
  const TOOLS = {
    add: { title: "新增站点", icon: "plus", hint: "点一下地图放置,之后可以拖动。" },
    bridge: { title: "架桥", icon: "base", hint: "依次点桥的两端,两端须靠近道路。" },
    block: { title: "封路", icon: "close", hint: "点一条道路,再次选择可恢复通行。" },
  };

  function arm(name) {
    tool = tool === name ? null : name;
    bridge = [];
    G.app.map.getContainer().classList.toggle("gm-cover-aiming", !!tool);
    card();
  }

  async function clicked({ latlng, originalEvent }) {
    // Enter on a point is a click on the point, not on the ground below it.
    if (!isOpen() || (originalEvent && originalEvent.type.startsWith("key"))) return;
    if (!tool) {
      if (selected !== null) select(null);
      return;
    }
    if (tool === "add") {
      set([...W.changes, { op: "add", ...rounded(latlng), name: `新增站点${W.changes.filter((one) => one.op === "add").length + 1}` }]);
      return arm(tool);
    }
    if (tool === "bridge") {
      const { lon, lat } = rounded(latlng);
      bridge.push([lon, lat]);
      if (bridge.length < 2) {
        return card();
      }
      set([...W.changes, { op: "bridge", line: bridge, modes: ["foot", "ebike", "car"] }]);
      return arm(tool);
    }
    const { map } = G.app;
    const tolerance = (map.getBounds().getEast() - map.getBounds().getWest()) / map.getSize().x * 10;
    try {
      const found = await G.api.identify(latlng.lng, latlng.lat, Math.min(tolerance, 0.1), ["road"]);
      const [road] = found.features || [];
      if (!road) return G.toast("这里没有道路,请放大后点在道路上。", { kind: "warn", key: "block" });
      const rest = W.changes.filter((one) => !(one.op === "block" && one.id === road.id));
      set(rest.length < W.changes.length ? rest : [...W.changes, { op: "block", id: road.id }]);
      arm(tool);
    } catch (error) {
      G.toast(error.message, { kind: "bad", key: "block" });
    }
  }

  // --- the card: figures, tools, changes ---------------------------------------------------------------------------------------------------
  function card() {
    const box = byId("gm-whatif");
    if (!box) return;
    box.hidden = !isOpen();
    if (box.hidden) return;
    const isWide = G.store.view("whatif.card", true);
    const fold = G.h("button", { class: "gm-icon-button", type: "button", id: "gm-whatif-fold", title: isWide ? "收起" : "展开", "aria-label": isWide ? "收起推演面板" : "展开推演面板", "aria-expanded": String(isWide) }, G.icon("down", 20));
    fold.addEventListener("click", () => {
      G.store.setView("whatif.card", !isWide);
      card();
      byId("gm-whatif-fold").focus();
    });
    box.classList.toggle("gm-whatif-folded", !isWide);
    const button = (name) => G.h("button", { class: `gm-button ${tool === name ? "gm-button-primary" : ""}`, type: "button", id: `gm-whatif-${name}`, "aria-pressed": String(tool === name), on: { click: () => arm(name) } }, G.icon(TOOLS[name].icon, 18), TOOLS[name].title);
    G.replace(box,
      G.h("div", { class: "gm-whatif-head" }, G.h("h2", { text: W.base ? `方案:${W.base.name}` : W.changes.length ? "推演(未保存)" : "推演" }), isChanged() && W.base && G.h("span", { class: "gm-badge gm-badge-warn", text: "已改动" }), fold),
      G.h("div", { id: "gm-whatif-figures", class: "gm-whatif-figures", "aria-live": "polite" }),
      fault && G.h("p", { class: "gm-fault", role: "alert", text: fault }),
      G.h("div", { class: "gm-actions gm-whatif-tools" }, Object.keys(TOOLS).map(button)),
      G.h("p", { class: "gm-hint", text: bridge.length ? "再点桥的另一端。" : tool ? TOOLS[tool].hint : "拖动任意站点,覆盖与死角随手更新。" }),
      chosen(),
      W.changes.length > 0 && G.h("ul", { class: "gm-whatif-changes", "aria-label": "改动" }, W.changes.map(line)),
      G.h("div", { class: "gm-actions" },
        G.h("button", { class: "gm-button", type: "button", id: "gm-whatif-undo", disabled: !past.length, on: { click: undo } }, G.icon("undo", 18), "撤销上一步"),
        G.h("button", { class: "gm-button", type: "button", id: "gm-whatif-clear", disabled: !W.changes.length, on: { click: () => set([]) } }, "全部清空")));
    figures();
    if (C.report) G.fill(box, [G.h("p", { class: "gm-hint", text: `${C.report.method.sentence}第 ${C.report.sequence} 次更新${C.report.is_simulated ? ",含模拟数据" : ""}。` })]);
  }

  function figures() {
    const box = byId("gm-whatif-figures");
    if (!box) return;
    const { answer } = W;
    if (!answer) {
      const isToday = C.report && !C.report.scenario.id && !W.changes.length;
      const words = fault ? "改动有误,暂不计算。" : isToday ? `现状覆盖 ${C.share(C.report.total.covered_share)}` : "正在计算…";
      return G.replace(box, G.h("p", { class: "gm-hint", text: words }));
    }
    const { before, after, gained, groups } = answer;
    const sign = gained > 0 ? "+" : gained < 0 ? "−" : "±";
    const words = gained === null ? "变化少于 5" : `${sign}${Math.abs(Math.round(gained)).toLocaleString("zh-CN")}`;
    const unit = C.report ? C.report.method.demand_unit : "人";
    const top = [...groups].filter((one) => !one.is_hidden).sort((a, b) => Math.abs(b.covered - b.before) - Math.abs(a.covered - a.before)).slice(0, 3);
    G.replace(box,
      G.h("div", { class: "gm-whatif-main" },
        G.h("strong", { class: gained > 0 ? "gm-whatif-up" : gained < 0 ? "gm-whatif-down" : "", id: "gm-whatif-gained", text: words }),
        G.h("span", { text: `${unit}${gained < 0 ? "失去覆盖" : "新增覆盖"}` })),
      G.h("dl", { class: "gm-facts" },
        fact("覆盖率", `${C.share(before.covered_share)} → ${C.share(after.covered_share)}`, "gm-whatif-share"),
        fact("未覆盖", `${C.people(before.uncovered)} → ${C.people(after.uncovered)} ${unit}`),
        fact("受影响网格", `${groups.length} 个`)),
      top.length > 0 && G.h("ul", { class: "gm-whatif-grids" }, top.map((one) => G.h("li", { text: `${one.name}:${C.people(one.before)} → ${C.people(one.covered)}` }))),
      answer.off_network.map((at) => G.h("p", { class: "gm-fault", text: `第 ${at + 1} 项改动离道路过远,不计入覆盖。` })));
  }
  const fact = (name, text, id) => G.h("div", { class: "gm-fact" }, G.h("dt", { text: name }), G.h("dd", { text, id }));

  function chosen() {
    if (selected === null) return null;
    const isAdded = typeof selected === "number";
    if (isAdded ? !W.changes[selected] || W.changes[selected].op !== "add" : !pointOf(selected)) {
      selected = null;
      return null;
    }
    if (isAdded) return null;
    const change = W.changes.find((one) => ["move", "close"].includes(one.op) && one.id === selected);
    const id = selected;
    return G.h("div", { class: "gm-whatif-chosen" }, G.h("strong", { text: nameOf(id) }),
      change
        ? G.h("button", { class: "gm-button", type: "button", text: "恢复原状", on: { click: () => set(without(id)) } })
        : G.h("button", { class: "gm-button gm-button-quiet-danger", type: "button", text: "裁撤这个站点", on: { click: () => set([...without(id), { op: "close", id }]) } }));
  }

  function line(one, at) {
    const what = one.op === "add" ? one.name || "新增站点" : one.op === "bridge" ? "" : one.op === "block" ? (roads[one.id] && roads[one.id].properties.name) || "" : nameOf(one.id);
    return G.h("li", {}, G.h("span", { text: [OPS[one.op], what].filter(Boolean).join(":") }),
      G.h("button", { class: "gm-icon-button", type: "button", "aria-label": `取消改动:${OPS[one.op]}${what}`, title: "取消这项改动", on: { click: () => set(W.changes.filter((_, index) => index !== at)) } }, G.icon("close", 18)));
  }

  // --- scenarios come and go --------------------------------------------------------------------------------------------------------------
  const nameTag = (one) => (one ? `${one.id}@${one.revision}` : "");

  function load(scenario, { isFirst }) {
    const kept = isFirst ? G.store.work("whatif", null) : null;
    const isSame = kept && (scenario ? kept.base && kept.base.id === scenario.id : true);
    if (isSame && kept.changes.length) {
      W.base = scenario;
      set(kept.changes, { isKept: false });
      return;
    }
    const mine = W.changes;
    const wasChanged = isChanged();
    W.base = scenario;
    const changes = scenario ? scenario.changes : [];
    if (same(mine, changes)) {
      G.store.setWork("whatif", null);
      return card();
    }
    past = [];
    selected = null;
    set(changes, { isKept: false });
    if (wasChanged && mine.length) G.toast("已换到另一个方案,原来未保存的改动可以找回。", { kind: "warn", key: "whatif", action: { title: "找回", run: () => set(mine) } });
  }

  let isFirst = true;
  let isShown = false;
  G.on("coverage-told", ({ told }) => {
    if (isFirst || nameTag(told.scenario) !== nameTag(W.base)) load(told.scenario, { isFirst });
    isFirst = false;
    const now = isOpen();
    if (now !== isShown) {
      isShown = now;
      tool = null;
      G.app.map.getContainer().classList.remove("gm-cover-aiming");
      if (!now) {
        C.repaint([]);
        if (C.layers.gaps) C.drawGaps(C.gaps);
      }
      C.points();
      draw();
      card();
      if (now) C.uncover();
      if (now && W.changes.length) want(W.changes);
    }
  });
  G.on("coverage-points", () => {
    draw();
    card();
  });
  G.on("coverage-report", () => {
    W.answer = null;
    if (isOpen() && W.changes.length) want(W.changes);
  });
  G.on("coverage-gaps", () => isOpen() && gaps());
  G.on("coverage-shown", () => isOpen() && C.shown.gaps && want(W.changes));
  G.on("coverage-click", clicked);
  G.on("coverage-ready", () => {
    byId("gm").append(G.h("section", { class: "gm-panel gm-whatif", id: "gm-whatif", "aria-label": "推演", hidden: true }));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && tool && !document.querySelector("dialog[open]")) arm(tool);
    });
  });
})(window.Gridmap);
