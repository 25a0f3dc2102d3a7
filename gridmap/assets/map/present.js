// Presents slides over the whole window: the map flies to each, its figures and its line of text lie on it.
// Keys: → space PageDown on, ← PageUp back, Home, End, A by itself, F full screen, Escape out; [ ] move a comparison.
"use strict";
(function (G) {
  let slides = [];
  let at = -1;
  let timer = 0;
  let seconds = 0;
  let focus = null;
  let parts = null;
  let scene = null;

  const slide = () => slides[at];

  // --- one slide ---------------------------------------------------------------------------------------------------
  function layersOf(one) {
    const wanted = new Set(one.layers.length ? one.layers : G.app.catalogue.layers.filter(G.scene.isMain).map((layer) => layer.id));
    for (const layer of G.app.catalogue.layers) {
      if (wanted.has(layer.id) !== G.tiles.isVisible(layer.id)) G.tiles.show(layer.id, wanted.has(layer.id));
    }
  }

  function look(one) {
    const { map } = G.app;
    const panel = parts.panel.getBoundingClientRect();
    // What is in the middle of a view comes into the middle of the part beside the words.
    if (one.view) {
      const { x, y } = map.getSize();
      const zoom = one.view.zoom + G.scene.zoomFrom({ width: x - panel.right, height: y });
      return map.setView([one.view.lat, one.view.lon], zoom, { animate: false }).panBy([-panel.right / 2, 0], { animate: false });
    }
    const [west, south, east, north] = one.box || G.app.catalogue.district.bounds || [];
    if (west === undefined) return undefined;
    const padding = { paddingTopLeft: [panel.right + 24, 24], paddingBottomRight: [24, 90] };
    return map.fitBounds([[south, west], [north, east]], { ...padding, animate: false, maxZoom: 16 });
  }

  // On a wall the names and markers of the map are larger, as the words beside it are.
  function enlarge() {
    const times = 2 ** G.scene.zoomFrom({ width: window.innerWidth, height: window.innerHeight });
    if (G.symbols.setReading(Math.min(2, Math.max(1, times)))) G.tiles.repaint();
  }

  async function mark(one) {
    if (focus) focus.remove();
    focus = null;
    if (!one.focus) return;
    const { layer, key } = one.focus;
    try {
      const found = G.symbols.isPoint(G.app.layers[layer])
        ? await G.api.element(layer, key)
        : (await G.api.items(layer, { code: key, limit: 1 })).features[0];
      const feature = found && (found.feature || found);
      if (!feature || slide() !== one) return;
      const style = { pane: "gm-outline", color: "#0f1726", weight: 5, fill: false, interactive: false, pmIgnore: true };
      focus = L.geoJSON(feature, { ...style, style, pointToLayer: (_, place) => L.circleMarker(place, { ...style, color: "#a3161b", radius: 26 }) }).addTo(G.app.map);
    } catch {
      // The slide is understood without its outline too.
    }
  }

  function compare(one) {
    const { compare: two } = one;
    if (!two) {
      G.swipe.stop();
      G.tiles.setTime(one.at);
      return;
    }
    if (two.problem) {
      G.swipe.stop();
      G.tiles.setTime(null);
      return;
    }
    G.swipe.start(two);
    if (!two.before) G.tiles.setTime(null);
  }

  const figure = (one) =>
    G.h("div", { class: "gm-slide-figure" }, G.h("dt", { text: one.title }),
      G.h("dd", {}, one.before && G.h("i", { text: one.before }), G.h("b", { text: one.text }), one.unit && G.h("small", { text: one.unit }),
        one.change && G.h("em", { class: one.look }, G.h("span", { text: one.change }), " ", G.h("span", { text: one.since }))));

  function draw(one) {
    G.replace(parts.words,
      G.h("h1", { text: one.title }),
      one.subtitle && G.h("p", { class: "gm-slide-subtitle", text: one.subtitle }),
      one.date && G.h("p", { class: "gm-slide-date", text: one.date }),
      one.figures.length > 0 && G.h("dl", { class: "gm-slide-figures" }, one.figures.map(figure)),
      one.text && G.h("p", { class: "gm-slide-text", text: one.text }),
      one.compare && one.compare.problem && G.h("p", { class: "gm-slide-fault", text: one.compare.problem }),
      G.h("p", { class: "gm-slide-stamp", text: one.stamp }));
    parts.count.textContent = `${at + 1} / ${slides.length}`;
    parts.previous.disabled = at === 0;
    parts.next.disabled = at === slides.length - 1;
    parts.bar.style.width = `${((at + 1) / slides.length) * 100}%`;
    G.say(`第 ${at + 1} 页,共 ${slides.length} 页:${one.title}`);
  }

  function go(next) {
    const to = Math.min(slides.length - 1, Math.max(0, next));
    if (to === at || !slides.length) return again();
    at = to;
    const one = slide();
    draw(one);
    layersOf(one);
    compare(one);
    look(one);
    mark(one);
    document.body.dataset.slide = String(at + 1);
    again();
  }

  // --- by itself ------------------------------------------------------------------------------------------------------
  function again() {
    clearTimeout(timer);
    if (!seconds) return;
    // a tour begins anew: nobody may be near the keys
    timer = setTimeout(() => go(at === slides.length - 1 ? 0 : at + 1), seconds * 1000);
  }

  function auto() {
    seconds = seconds ? 0 : (scene.seconds || 8);
    parts.auto.setAttribute("aria-pressed", String(!!seconds));
    parts.auto.textContent = seconds ? "停止自动" : "自动(A)";
    again();
  }

  // --- out ---------------------------------------------------------------------------------------------------------------
  let isOver = false;
  async function end() {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    await G.scene.full().leave();
    G.scene.tell({ kind: "end" });
  }

  function key(event) {
    const run = {
      ArrowRight: () => go(at + 1), PageDown: () => go(at + 1), " ": () => go(at + 1), Enter: () => go(at + 1), ArrowDown: () => go(at + 1),
      ArrowLeft: () => go(at - 1), PageUp: () => go(at - 1), Backspace: () => go(at - 1), ArrowUp: () => go(at - 1),
      Home: () => go(0), End: () => go(slides.length - 1), Escape: end,
      a: auto, A: auto, "[": () => G.swipe.step(-1), "]": () => G.swipe.step(1),
    }[event.key];
    const isOwn = event.view === window;
    if (isOwn && event.key.toLowerCase() === "f") return G.scene.full().toggle();
    if (!run) return undefined;
    // A button keeps its own Enter and space.
    if (event.target.closest && event.target.closest("button") && (event.key === " " || event.key === "Enter")) return undefined;
    event.preventDefault();
    event.stopPropagation();
    return run();
  }

  function frame() {
    const button = (id, text, run) => G.h("button", { class: "gm-button gm-slide-button", id, type: "button", text, on: { click: run } });
    parts = {
      words: G.h("div", { class: "gm-slide-words", "aria-live": "polite" }),
      count: G.h("span", { class: "gm-slide-count", id: "gm-slide-count" }),
      previous: button("gm-slide-previous", "‹ 上一页", () => go(at - 1)),
      next: button("gm-slide-next", "下一页 ›", () => go(at + 1)),
      auto: button("gm-slide-auto", "自动(A)", auto),
      bar: G.h("i", {}),
    };
    parts.panel = G.h("section", { class: "gm-slide", id: "gm-slide", "aria-label": "汇报页面" }, parts.words);
    document.getElementById("gm").append(
      parts.panel,
      G.h("nav", { class: "gm-slide-bar", "aria-label": "放映" }, parts.previous, parts.count, parts.next, parts.auto,
        button("gm-slide-full", "全屏(F)", () => G.scene.full().toggle()), button("gm-slide-end", "结束(Esc)", end)),
      G.h("div", { class: "gm-slide-progress", "aria-hidden": "true" }, parts.bar));
  }

  function begin() {
    frame();
    G.scene.keys(key);
    let wasFull = G.scene.full().isOn();
    const stop = G.scene.full().on((isFull, isToggled) => {
      // Escape of the browser's own full screen does not arrive as a key.
      if (wasFull && !isFull && !isOver && !isToggled) end();
      wasFull = isFull;
    });
    window.addEventListener("pagehide", stop);
    enlarge();
    window.addEventListener("resize", () => {
      enlarge();
      if (at >= 0) look(slide());
    });
    window.focus();
  }

  G.scene.layers.present = G.scene.isMain;
  G.on("scene", (next) => {
    if (G.app.mode !== "present") return;
    if (!parts) begin();
    const isNew = !scene || scene.key !== next.key;
    scene = next;
    slides = next.slides;
    if (!isNew) return;
    isOver = false;
    at = -1;
    seconds = next.seconds;
    parts.auto.hidden = slides.length < 2;
    parts.auto.setAttribute("aria-pressed", String(!!seconds));
    if (seconds) parts.auto.textContent = "停止自动";
    go(next.start || 0);
  });
})(window.Gridmap);
