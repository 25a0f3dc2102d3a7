// Where a story is made: the map with its layers and its time, and one button that keeps the view as a slide.
"use strict";
(function (G) {
  // What the panel of layers leaves free: that is what one looks at.
  function free() {
    const { x, y } = G.app.map.getSize();
    const { left, right } = G.panels.room();
    return { left, right, x, y, zoom: G.scene.zoomFrom({ width: x - left - right, height: y }) };
  }

  function keep() {
    const { map } = G.app;
    const { left, right, x, y, zoom } = free();
    const middle = map.containerPointToLatLng([(left + x - right) / 2, y / 2]);
    G.scene.tell({
      kind: "slide", id: G.uuid(), view: { lon: middle.lng, lat: middle.lat, zoom: map.getZoom() - zoom },
      layers: G.tiles.visibleLayers(), at: G.past.at || day,
    });
    G.toast("当前画面已存为一页。", { key: "slide" });
  }

  // A slide of a past day shows that day: on the slider where there is one, else under a note that leads back to now.
  let day = null;
  async function time(at) {
    if (!document.getElementById("gm-open-time")) return setDay(at);
    if (at && document.getElementById("gm-time").hidden) await G.past.toggle();
    if (at && !document.getElementById("gm-time").hidden) G.past.go(new Date(at));
    else if (!at && G.past.at) await G.past.toggle();
    return undefined;
  }

  function setDay(at) {
    day = at;
    G.tiles.setTime(at);
    const old = document.getElementById("gm-story-date");
    if (old) old.remove();
    if (!at) return;
    document.getElementById("gm").append(G.h("p", { class: "gm-story-date", id: "gm-story-date", role: "status" },
      G.h("span", { text: `地图为 ${G.timeText(at)} 的状态` }),
      G.h("button", { class: "gm-button gm-button-small", type: "button", text: "回到现在", on: { click: () => setDay(null) } })));
  }

  function show(slide) {
    time(slide.at);
    for (const layer of G.app.catalogue.layers) {
      const isWanted = slide.layers.includes(layer.id);
      if (slide.layers.length && isWanted !== G.tiles.isVisible(layer.id)) G.layers.setVisible(layer.id, isWanted);
    }
    if (slide.view) {
      const { left, right, zoom } = free();
      G.app.map.setView([slide.view.lat, slide.view.lon], slide.view.zoom + zoom, { animate: false }).panBy([(right - left) / 2, 0], { animate: false });
    }
  }

  G.scene.layers.story = G.scene.isMain;
  let last = null;
  G.on("scene", (scene) => {
    if (G.app.mode !== "story") return;
    if (!document.getElementById("gm-keep-slide")) {
      document.querySelector(".gm-tools").append(G.h("button", { class: "gm-button gm-button-primary", id: "gm-keep-slide", type: "button", text: "存为一页", on: { click: keep } }));
    }
    document.getElementById("gm-keep-slide").hidden = !scene.may_keep;
    if (scene.shown && scene.shown.key !== last) show(scene.shown);
    last = scene.shown ? scene.shown.key : null;
    document.body.dataset.scene = scene.key;
  });
})(window.Gridmap);
