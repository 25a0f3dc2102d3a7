// The overview's map: towns or grids in the shades of one figure, with their names, and the stations above them;
// a click on an area or a station opens its card.
"use strict";
(function (G) {
  const GROUND = new Set(["district", "road"]);
  const POST = "workstation";
  const NEAR = 11.75; // from here on there is room for symbols beside the names
  G.scene.layers.overview = (layer) => GROUND.has(layer.id);

  const shapes = new Map(); // layer id → its features, fetched once
  let drawn = null;
  let names = null;
  let posts = null;
  let chosen = null;
  let scene = null;
  let isFirst = true;

  const byCode = () => new Map(scene.areas.map((one) => [one.code, one]));

  async function features(layer) {
    if (!shapes.has(layer)) {
      shapes.set(layer, (async () => {
        const found = [];
        let page = await G.api.items(layer, { limit: 1000 });
        found.push(...page.features);
        while (page.numberMatched > found.length && page.features.length) {
          page = await G.api.items(layer, { limit: 1000, offset: found.length });
          found.push(...page.features);
        }
        return found;
      })());
      shapes.get(layer).catch(() => shapes.delete(layer));
    }
    return shapes.get(layer);
  }

  // Above the shades, where the tiles' own symbols would be as dark as the area below them.
  async function drawPosts() {
    const layer = G.app.layers[POST];
    if (!layer) return;
    const asked = scene;
    shapes.delete(POST); // few, and the page has just told of a change
    const found = await features(POST);
    if (asked !== scene) return;
    if (posts) posts.remove();
    posts = L.layerGroup(found.map((feature) => post(layer, feature)), { pmIgnore: true }).addTo(G.app.map);
    document.body.dataset.posts = String(found.length);
  }

  function post(layer, feature) {
    const name = feature.properties.name || feature.properties.code || layer.title;
    const html = G.symbols.swatch(layer, G.symbols.symbolFor(layer, feature.properties), { width: 30, height: 30 });
    const [lon, lat] = feature.geometry.coordinates;
    const made = L.marker([lat, lon], { pane: "gm-overview-posts", pmIgnore: true, title: "", alt: `${name},打开一站一卡`, icon: L.divIcon({ className: "gm-overview-post", html, iconSize: [40, 40] }) });
    const open = () => G.scene.tell({ kind: "area", layer: POST, code: feature.id });
    made.on("add", () => {
      const one = made.getElement();
      one.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        open();
      });
      one.setAttribute("role", "button");
      one.setAttribute("aria-label", `${name},打开一站一卡`);
    });
    made.on("mouseover mousemove", (event) => tip({ containerPoint: G.app.map.mouseEventToContainerPoint(event.originalEvent) }, name));
    made.on("mouseout", () => (tipBox().hidden = true));
    made.on("click", open);
    return made;
  }

  const look = (area) => ({
    pane: "gm-choropleth", pmIgnore: true, color: "#33415c", weight: scene.layer === "town" ? 1.5 : 0.8,
    fillColor: area && area.color ? area.color : "#ffffff", fillOpacity: area && area.color ? 0.85 : 0.2,
  });

  async function draw() {
    const asked = scene;
    let found;
    try {
      found = await features(asked.layer);
    } catch (error) {
      return G.toast(error.message, { kind: "bad", key: "overview" });
    }
    if (asked !== scene) return;
    const areas = byCode();
    if (drawn) drawn.remove();
    if (names) names.remove();
    const labels = [];
    drawn = L.geoJSON(found, {
      pane: "gm-choropleth", pmIgnore: true,
      style: (feature) => look(areas.get(feature.properties.code)),
      onEachFeature(feature, shape) {
        const area = areas.get(feature.properties.code);
        if (!area) return;
        shape.on("mousemove", (event) => tip(event, `${area.name} ${area.text}`));
        shape.on("mouseout", () => (tipBox().hidden = true));
        shape.on("click", () => G.scene.tell({ kind: "area", layer: asked.layer, code: area.code }));
        if (asked.layer === "town") labels.push(label(shape, area));
      },
    }).addTo(G.app.map);
    names = L.layerGroup(labels, { pmIgnore: true }).addTo(G.app.map);
    drawPosts().catch((error) => G.toast(error.message, { kind: "bad", key: "overview" }));
    choose();
    spread();
    legend();
    document.body.dataset.scene = asked.key;
  }

  function tipBox() {
    let box = document.getElementById("gm-overview-tip");
    if (!box) {
      box = G.h("div", { class: "gm-overview-tip", id: "gm-overview-tip", hidden: true });
      document.getElementById("gm").append(box);
    }
    return box;
  }

  function tip(event, text) {
    const box = tipBox();
    box.hidden = false;
    box.textContent = text;
    const { x, y } = event.containerPoint;
    box.style.left = `${Math.min(x + 16, window.innerWidth - box.offsetWidth - 8)}px`;
    box.style.top = `${Math.max(8, y - 44)}px`;
  }

  function label(shape, area) {
    const words = G.h("div", { class: "gm-overview-name" }, G.h("span", { text: area.name }), G.h("b", { text: area.text }));
    const size = [150, 44];
    const icon = L.divIcon({ className: "gm-overview-label", html: words, iconSize: size, iconAnchor: [75, 22] });
    return L.marker(middle(shape), { icon, interactive: false, keyboard: false, pmIgnore: true, pane: "gm-overview-names" });
  }

  // The middle of the widest part along a few lines across: inside the area, where the name has room.
  function middle(shape) {
    const box = shape.getBounds();
    const rings = shape.feature.geometry.type === "Polygon" ? shape.feature.geometry.coordinates : shape.feature.geometry.coordinates.flat();
    let best = null;
    for (const share of [0.5, 0.42, 0.58, 0.34, 0.66]) {
      const lat = box.getSouth() + (box.getNorth() - box.getSouth()) * share;
      const cuts = [];
      for (const ring of rings) {
        for (let i = 1; i < ring.length; i += 1) {
          const [[x1, y1], [x2, y2]] = [ring[i - 1], ring[i]];
          if ((y1 > lat) !== (y2 > lat)) cuts.push(x1 + ((lat - y1) / (y2 - y1)) * (x2 - x1));
        }
      }
      cuts.sort((a, b) => a - b);
      for (let i = 1; i < cuts.length; i += 2) {
        const width = (cuts[i] - cuts[i - 1]) * (share === 0.5 ? 1.15 : 1);
        if (!best || width > best.width) best = { width, at: [lat, (cuts[i] + cuts[i - 1]) / 2] };
      }
    }
    return best ? best.at : box.getCenter();
  }

  // Names that would lie on each other give way downwards.
  function spread() {
    const taken = [];
    const boxes = [...document.querySelectorAll(".gm-overview-name")];
    for (const one of boxes) one.style.transform = "";
    const rects = boxes.map((one) => ({ one, box: one.getBoundingClientRect() })).sort((a, b) => a.box.top - b.box.top);
    for (const { one, box } of rects) {
      const width = Math.max(...[...one.children].map((part) => part.offsetWidth));
      const left = (box.left + box.right - width) / 2;
      let top = box.top;
      for (const other of taken) if (left < other.right && left + width > other.left && top < other.bottom && top + box.height > other.top) top = other.bottom;
      one.style.transform = top > box.top ? `translateY(${top - box.top}px)` : "";
      // half a name at an edge is none
      const isCut = left < 0 || left + width > window.innerWidth || top < 0 || top + box.height > window.innerHeight;
      one.style.visibility = isCut ? "hidden" : "";
      taken.push({ left, right: left + width, top, bottom: top + box.height });
    }
  }

  function choose() {
    if (chosen) chosen.remove();
    chosen = null;
    tipBox().hidden = true;
    if (!scene.chosen) {
      if (isFirst || document.body.dataset.chosen) whole();
      delete document.body.dataset.chosen;
      isFirst = false;
      return;
    }
    const { layer, code } = scene.chosen;
    features(layer).then((found) => {
      const feature = found.find((one) => (layer === POST ? one.id : one.properties.code) === code);
      if (!feature || !scene.chosen || scene.chosen.code !== code) return;
      if (chosen) chosen.remove();
      const style = { pane: "gm-outline", color: "#0f1726", weight: 4, fill: false, interactive: false, pmIgnore: true };
      const pointToLayer = (_, place) => L.circleMarker(place, { ...style, color: "#a3161b", radius: 22 });
      chosen = L.geoJSON(feature, { ...style, style, pointToLayer }).addTo(G.app.map);
      G.app.map.fitBounds(chosen.getBounds(), { padding: [40, 40], animate: false, maxZoom: layer === POST ? 13 : 18 });
      document.body.dataset.chosen = code;
    }, (error) => G.toast(error.message, { kind: "bad", key: "overview" }));
  }

  function whole() {
    const bounds = G.app.catalogue.district.bounds;
    if (!bounds) return;
    const [west, south, east, north] = bounds;
    G.app.map.fitBounds([[south, west], [north, east]], { padding: [12, 12], animate: false });
  }

  function legend() {
    let box = document.getElementById("gm-overview-legend");
    if (!box) {
      box = G.h("div", { class: "gm-overview-legend", id: "gm-overview-legend" });
      document.getElementById("gm").append(box);
    }
    G.replace(box, G.h("strong", { text: scene.title }), G.h("small", { text: scene.meaning }),
      G.h("ul", {}, scene.legend.map((one) => G.h("li", {}, G.h("i", { style: { background: one.color } }), G.h("span", { text: one.text })))));
  }

  function begin() {
    if (G.app.mode !== "overview") return;
    const { map } = G.app;
    for (const [name, z, isThrough] of [["gm-choropleth", 370, false], ["gm-overview-posts", 610, false], ["gm-overview-names", 620, true]]) {
      const pane = map.createPane(name);
      pane.style.zIndex = z;
      if (isThrough) pane.style.pointerEvents = "none";
    }
    document.getElementById("gm-home").addEventListener("click", whole);
    const size = () => document.body.classList.toggle("gm-overview-far", map.getZoom() < NEAR);
    map.on("zoomend", size);
    size();
    map.on("zoomend moveend", () => requestAnimationFrame(spread));
    map.on("resize", () => !document.body.dataset.chosen && whole());
    G.scene.keys((event) => {
      // keys of the page itself are the page's own affair
      if (event.view === window && event.key.toLowerCase() === "f") G.scene.full().toggle();
      else if (event.view === window && event.key === "Escape" && G.scene.full().isOn()) G.scene.full().leave();
    });
  }

  G.on("scene", (next) => {
    if (G.app.mode !== "overview") return;
    const isSame = scene && scene.key === next.key;
    scene = next;
    if (isSame) choose();
    else draw();
  });
  // before scene.js looks at the page for the first time, which it does when everything is ready
  const open = G.layers.veilOutside;
  G.layers.veilOutside = () => {
    begin();
    return open();
  };
})(window.Gridmap);
