// Puts the parts together: the frame, the view that is kept, the states of the whole (loading, empty, failed, offline).
"use strict";
(function (G) {
  const byId = (id) => document.getElementById(id);
  const NARROW = 900;
  // Panes from the bottom up; those that only show something let the pointer through.
  const PANES = [["gm-ground", 150, true], ["gm-mask", 380, true], ["gm-guides", 390, true], ["gm-outline", 450, true], ["gm-edit", 460, false], ["gm-edit-markers", 640, false]];

  // --- the frame ---------------------------------------------------------------------------------------------
  function frame() {
    const { map } = G.app;
    const tool = (id, icon, title, run, extra = {}) =>
      G.h("button", { class: "gm-tool", id, type: "button", title, "aria-label": title, on: { click: run }, ...extra }, G.icon(icon));
    const canEdit = G.edit.editable().length > 0;
    const { permissions } = G.app.user;
    const root = G.h("div", { id: "gm", class: "gm" },
      G.h("div", { class: "gm-top" },
        tool("gm-open-left", "layers", "图层", () => G.panels.toggleLeft()),
        G.search.make(),
        G.h("div", { class: "gm-banner", id: "gm-banner", role: "alert", hidden: true }),
        G.h("div", { class: "gm-tools" },
          G.h("button", { class: "gm-button", id: "gm-people", type: "button", hidden: true, on: { click: G.presence.list } }),
          G.h("button", { class: "gm-button gm-button-warn", id: "gm-proposals", type: "button", hidden: true, on: { click: () => G.proposals.list() } }),
          G.h("button", { class: "gm-button gm-pending", id: "gm-pending", type: "button", hidden: true, on: { click: G.pending.openList } }),
          permissions.includes("view_history") && G.h("button", { class: "gm-button", id: "gm-open-time", type: "button", title: "查看过去某一时刻的地图,或对比两个日期", on: { click: G.past.toggle } }, G.icon("clock", 18), "时间"),
          canEdit && G.h("button", { class: "gm-button", id: "gm-undo", type: "button", disabled: true, on: { click: G.edit.undo } }, G.icon("undo", 18), "撤销"),
          canEdit && G.h("button", { class: "gm-button gm-button-primary", id: "gm-add", type: "button", on: { click: G.edit.add } }, G.icon("plus", 18), "新增"))),
      G.h("nav", { class: "gm-panel gm-left", id: "gm-left", "aria-label": "图层" }),
      G.h("aside", { class: "gm-panel gm-right", id: "gm-right", "aria-label": "要素", hidden: true }),
      G.h("div", { class: "gm-past-banner", id: "gm-past-banner", role: "status", hidden: true }),
      G.h("div", { class: "gm-bar", id: "gm-bar", role: "region", "aria-label": "编辑", hidden: true }),
      G.h("div", { class: "gm-time", id: "gm-time", role: "region", "aria-label": "时间", hidden: true }),
      G.h("div", { class: "gm-zoom" },
        tool("gm-in", "plus", "放大", () => map.zoomIn()),
        tool("gm-out", "minus", "缩小", () => map.zoomOut()),
        tool("gm-home", "home", "全区", home),
        G.h("button", { class: "gm-tool", id: "gm-mine", type: "button", hidden: true, title: "我的责任区", "aria-label": "我的责任区", on: { click: G.area.go } }, G.icon("mine")),
        tool("gm-locate", "locate", "我的位置", locate)),
      G.h("footer", { class: "gm-status", id: "gm-status" },
        G.h("span", { class: "gm-badge gm-badge-sim", id: "gm-simulated", text: "模拟数据", hidden: true }),
        G.h("span", { id: "gm-live", class: "gm-live" }),
        G.h("span", { id: "gm-as-of" }),
        G.h("span", { class: "gm-grow" }),
        G.h("span", { id: "gm-place" }),
        G.h("span", { id: "gm-level" })),
      G.h("div", { class: "gm-loading", id: "gm-loading", hidden: true }),
      G.h("div", { class: "gm-toasts", id: "gm-toasts" }),
      G.h("div", { class: "gm-hover", id: "gm-hover", hidden: true }),
      G.h("p", { class: "gm-only-heard", id: "gm-say", role: "status" }));
    document.body.append(root);
    L.control.scale({ metric: true, imperial: false, position: "bottomleft", maxWidth: 120 }).addTo(map);
    byId("gm-status").prepend(document.querySelector(".leaflet-control-scale"));
  }

  // Shown instead of everything: while the first answer is awaited, or when there is none.
  function cover(...children) {
    let box = byId("gm-cover");
    if (!box) {
      box = G.h("div", { id: "gm-cover", class: "gm-cover" });
      document.body.append(box);
    }
    G.replace(box, G.h("div", { class: "gm-card" }, children));
  }
  const uncover = () => byId("gm-cover") && byId("gm-cover").remove();

  // --- panels ----------------------------------------------------------------------------------------------------
  const isNarrow = () => window.innerWidth < NARROW;

  G.panels = {
    toggleLeft(isOpen) {
      const left = byId("gm-left");
      left.hidden = isOpen === undefined ? !left.hidden : !isOpen;
      document.body.classList.toggle("gm-left-open", !left.hidden);
      if (!isNarrow()) G.store.setView("left", !left.hidden);
      G.emit("layout");
    },
    // On a small screen a panel covers the map: step aside when something is to be seen there.
    narrowed() {
      if (isNarrow()) G.panels.toggleLeft(false);
    },
    // How much of each side of the map the panels cover, in pixels.
    room() {
      const size = G.app.map.getSize();
      const room = { left: 0, right: 0, top: 60, bottom: 36 };
      const [left, right] = [byId("gm-left"), byId("gm-right")];
      if (!isNarrow()) {
        if (!left.hidden) room.left = left.getBoundingClientRect().right;
        if (!right.hidden) room.right = size.x - right.getBoundingClientRect().left;
        else if (size.x > 1000) room.right = 0;
      } else if (!right.hidden) {
        room.bottom = Math.min(size.y * 0.55, size.y - right.getBoundingClientRect().top);
      }
      return room;
    },
  };

  // --- the view that is kept -------------------------------------------------------------------------------------
  // The address of the page around us, so that a view can be sent to a colleague.
  function outer() {
    try {
      return window.parent.location.href ? window.parent : window;
    } catch {
      return window;
    }
  }

  function fromAddress() {
    const parts = outer().location.hash.replace(/^#/, "").split("/");
    const [zoom, lat, lon] = parts.slice(0, 3).map(Number);
    if (parts.length < 3 || ![zoom, lat, lon].every(Number.isFinite) || Math.abs(lat) > 85 || Math.abs(lon) > 180) return null;
    return { zoom, center: [lat, lon], layer: parts[3] ? decodeURIComponent(parts[3]) : null, id: parts[4] ? decodeURIComponent(parts[4]) : null };
  }

  const keepView = G.debounce(() => {
    const { map } = G.app;
    const center = map.getCenter();
    const zoom = map.getZoom();
    G.store.setView("place", { zoom, center: [center.lat, center.lng] });
    const { current } = G.select;
    const element = current ? `/${encodeURIComponent(current.layer.id)}/${encodeURIComponent(current.id)}` : "";
    const page = outer();
    page.history.replaceState(page.history.state, "", `#${zoom}/${center.lat.toFixed(5)}/${center.lng.toFixed(5)}${element}`);
  }, 200);

  function firstView() {
    const { map, catalogue } = G.app;
    const place = fromAddress() || G.store.view("place", null);
    if (place) map.setView(place.center, place.zoom, { animate: false });
    else if (catalogue.district.bounds) home();
    return place;
  }

  function home() {
    const bounds = G.app.catalogue.district.bounds;
    if (!bounds) return;
    const [west, south, east, north] = bounds;
    const room = G.panels.room();
    G.app.map.fitBounds([[south, west], [north, east]], { paddingTopLeft: [room.left + 10, room.top + 4], paddingBottomRight: [room.right + 10, room.bottom + 4], animate: false });
  }

  let here = null;
  function locate() {
    if (!window.isSecureContext) return G.toast("浏览器只在加密连接(HTTPS)下提供位置,本页不是。请联系系统管理员启用 HTTPS。", { kind: "warn", key: "locate" });
    if (!("geolocation" in navigator)) return G.toast("这个浏览器不提供位置。", { kind: "warn", key: "locate" });
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const at = [coords.latitude, coords.longitude];
        if (here) here.remove();
        here = L.layerGroup([
          L.circle(at, { radius: coords.accuracy, color: "#1f4e9d", weight: 1, interactive: false, pmIgnore: true, pane: "gm-outline" }),
          L.circleMarker(at, { radius: 7, color: "#fff", weight: 3, fillColor: "#1f4e9d", fillOpacity: 1, interactive: false, pmIgnore: true, pane: "gm-outline" }),
        ]).addTo(G.app.map);
        G.app.map.setView(at, Math.max(16, G.app.map.getZoom()));
      },
      (error) => G.toast(error.code === 1 ? "浏览器未允许使用位置。" : "没有取得位置,请到室外或靠窗处重试。", { kind: "warn" }),
      { enableHighAccuracy: true, timeout: 15000 },
    );
  }

  // --- the status line -----------------------------------------------------------------------------------------------
  function status() {
    const { map, catalogue } = G.app;
    const place = (latlng) => (byId("gm-place").textContent = `${latlng.lng.toFixed(5)}, ${latlng.lat.toFixed(5)}`);
    const level = () => (byId("gm-level").textContent = `${Number(map.getZoom().toFixed(1))} 级`);
    const asOf = (sequence) => (byId("gm-as-of").textContent = `数据截至 ${G.minute(new Date())}(第 ${sequence} 次更新)`);
    map.on("mousemove", (event) => place(event.latlng));
    map.on("move", () => place(map.getCenter()));
    map.on("zoomend", level);
    place(map.getCenter());
    level();
    asOf(catalogue.sequence);
    byId("gm-simulated").hidden = !catalogue.is_simulated;
    G.on("counts", () => (byId("gm-simulated").hidden = !G.app.catalogue.is_simulated));
    G.on("sequence", asOf);
    const live = (isOn) => {
      byId("gm-live").textContent = isOn ? "● 实时" : "○ 重连中";
      byId("gm-live").classList.toggle("gm-live-off", !isOn);
    };
    live(false);
    G.on("live", live);
  }

  // Tiles that take longer than a blink show that something is coming.
  function loading() {
    const bar = byId("gm-loading");
    let timer = 0;
    G.on("loading", (underway) => {
      document.body.dataset.tiles = underway ? "loading" : "loaded";
      clearTimeout(timer);
      timer = setTimeout(() => (bar.hidden = underway === 0), underway ? 250 : 80);
    });
  }

  // --- offline -------------------------------------------------------------------------------------------------------
  let probe = 0;
  function banner() {
    let isShown = false;
    const set = (text) => {
      isShown = !!text;
      const box = byId("gm-banner");
      box.hidden = !text;
      if (text) G.replace(box, G.icon("warn", 18), G.h("span", { text }), G.h("button", { class: "gm-button gm-button-small", type: "button", text: "重试", on: { click: check } }));
    };
    async function check() {
      clearTimeout(probe);
      try {
        await G.api.get("/api/health");
      } catch {
        probe = setTimeout(check, 5000);
        return;
      }
      if (isShown) set(null);
      G.tiles.refresh(G.app.catalogue.layers.map((one) => one.id));
      G.pending.flush();
    }
    G.on("online", (isOn) => {
      if (isOn) {
        set(null);
        return;
      }
      set("连接不到服务器。您的修改会先存在本机,恢复后自动发送。");
      clearTimeout(probe);
      probe = setTimeout(check, 3000);
    });
    G.on("tiles", (isGood) => {
      if (isGood || isShown) return;
      set("地图数据没有读到。");
      clearTimeout(probe);
      probe = setTimeout(check, 3000);
    });
    window.addEventListener("online", check);
  }

  function pendingChip() {
    const draw = () => {
      const waiting = G.pending.count();
      const drafts = G.drafts.list().filter((one) => !G.edit.work || G.edit.work.draft.id !== one.id).length;
      const chip = byId("gm-pending");
      // maps that only show have put it away
      if (!chip) return;
      chip.hidden = !waiting && !drafts;
      chip.textContent = [waiting && `待发送 ${waiting}`, drafts && `草稿 ${drafts}`].filter(Boolean).join(" · ");
      chip.classList.toggle("gm-button-warn", waiting > 0);
    };
    G.on("pending", draw);
    G.on("editing", draw);
    window.addEventListener("storage", draw);
    draw();
  }

  function undoButton() {
    const button = byId("gm-undo");
    if (!button) return;
    const draw = () => {
      const list = G.edit.undoable();
      const last = list[list.length - 1];
      button.disabled = !last || G.edit.isBusy() || !!G.past.at;
      button.title = last ? `撤销:${last.title}` : "没有可撤销的操作";
    };
    G.on("undo", draw);
    G.on("editing", draw);
    G.on("past", (at) => {
      byId("gm-add").disabled = !!at;
      draw();
    });
    draw();
  }

  // --- pointer -----------------------------------------------------------------------------------------------------------
  function pointer() {
    const { map } = G.app;
    const tip = byId("gm-hover");
    let due = 0;
    const look = (event) => {
      const [hit] = G.edit.isBusy() ? [] : G.tiles.near(event.latlng, 9);
      map.getContainer().classList.toggle("gm-over", !!hit);
      tip.hidden = !hit;
      if (!hit) return;
      tip.textContent = [hit.props.name || hit.props.code, hit.layer.title].filter(Boolean).join(" · ");
      const at = event.containerPoint;
      const wide = tip.offsetWidth;
      tip.style.left = `${at.x + 16 + wide > map.getSize().x ? at.x - wide - 12 : at.x + 16}px`;
      tip.style.top = `${at.y + 12}px`;
    };
    map.on("mousemove", (event) => {
      cancelAnimationFrame(due);
      due = requestAnimationFrame(() => look(event));
    });
    map.on("mouseout movestart", () => (tip.hidden = true));
    map.on("click", G.select.clicked);
  }

  function keyboard() {
    document.addEventListener("keydown", (event) => {
      // A dialog, the search box and a chooser have their own Escape.
      if (document.querySelector("dialog[open]") || event.target.getAttribute("role") === "combobox") return;
      const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key === "Escape") {
        // Else this very key would close the question that it opens.
        event.preventDefault();
        if (G.edit.escape()) return;
        if (!byId("gm-time").hidden && byId("gm-right").hidden) return G.past.close();
        if (G.select.current || !byId("gm-right").hidden) G.select.close();
      } else if (event.key === "/" && !isTyping) {
        event.preventDefault();
        byId("gm-search").focus();
      } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !isTyping && byId("gm-undo")) {
        event.preventDefault();
        G.edit.undo();
      }
    }, true); // before the map's own keys, which keep some to themselves
  }

  function empty() {
    const { catalogue } = G.app;
    if (catalogue.layers.some((one) => one.count > 0)) return;
    const words = G.edit.editable().length ? "可以点右上角“新增”逐个添加,或到“要素”页批量导入。" : "请联系网格管理员或系统管理员导入数据。";
    document.body.append(G.h("div", { class: "gm-nothing", id: "gm-nothing" }, G.h("strong", { text: "还没有数据" }), G.h("p", { text: words })));
    G.on("saved", () => byId("gm-nothing") && byId("gm-nothing").remove());
  }

  // --- the beginning -------------------------------------------------------------------------------------------------------
  function take(catalogue) {
    Object.assign(G.app, { catalogue, user: catalogue.user, layers: Object.fromEntries(catalogue.layers.map((one) => [one.id, one])) });
  }

  async function load() {
    cover(G.h("div", { class: "gm-spinner", "aria-hidden": "true" }), G.h("p", { text: "正在打开地图…", role: "status" }));
    try {
      take(await G.api.catalogue());
    } catch (error) {
      const isSignedOut = error.status === 401 || (error.status === 403 && (error.body.type || "").includes("password"));
      cover(G.h("h2", { text: isSignedOut ? error.title : "地图没有打开" }), G.h("p", { text: error.message, role: "alert" }),
        G.h("button", { class: "gm-button gm-button-primary", type: "button", text: isSignedOut ? "去登录" : "重试", on: { click: () => (isSignedOut ? outer().location.reload() : load()) } }));
      return;
    }
    uncover();
    begin();
  }

  function begin() {
    const { map } = G.app;
    map.pm.setLang("zh");
    map.pm.setGlobalOptions({ pmIgnore: false });
    for (const [name, z, isThrough] of PANES) {
      const pane = map.createPane(name);
      pane.style.zIndex = z;
      if (isThrough) pane.style.pointerEvents = "none";
    }
    frame();
    map.invalidateSize({ animate: false });
    byId("gm-left").hidden = isNarrow() || !G.store.view("left", true);
    document.body.classList.toggle("gm-left-open", !byId("gm-left").hidden);
    const place = firstView();
    G.tiles.start(map, G.layers.initial());
    G.layers.render(byId("gm-left"));
    status();
    loading();
    banner();
    pendingChip();
    undoButton();
    pointer();
    keyboard();
    empty();
    map.on("moveend", keepView);
    map.on("zoomend", G.layers.update);
    G.on("selected", keepView);
    window.addEventListener("resize", () => map.invalidateSize());
    G.on("signed-out", G.dialogs.signedOut);
    G.on("signed-in", (isIn) => {
      if (!isIn) return;
      G.tiles.refresh(G.app.catalogue.layers.map((one) => one.id));
      G.pending.flush();
    });
    G.layers.veilOutside();
    G.live.start(G.app.catalogue.sequence);
    // The other maps only show: nobody edits there, and nobody is in anybody's way.
    const isForWork = G.app.mode === "map";
    if (isForWork) {
      G.presence.start();
      G.proposals.start();
      G.area.draw();
    }
    G.pending.flush();
    if (!(isForWork && G.edit.resumeOpen()) && place && place.layer && place.id) G.select.open(place.layer, place.id);
    document.body.dataset.ready = "true";
    G.emit("ready");
  }

  // Called when all scripts are there; the style sheets may still be on their way.
  G.open = function (map, options) {
    Object.assign(G.app, { map, style: options.style, mode: options.mode, version: options.version });
    document.documentElement.lang = "zh-CN";
    document.title = "一张图";
    // folium forbids zooming of the page, which people who see little need.
    document.querySelectorAll('meta[name="viewport"]').forEach((one) => (one.content = "width=device-width, initial-scale=1"));
    const styled = () => getComputedStyle(document.documentElement).getPropertyValue("--gm-ready").trim() === "1";
    const wait = (left) => (styled() || left <= 0 ? load() : setTimeout(wait, 20, left - 1));
    wait(500);
  };
})(window.Gridmap);
