// What a click finds, and the element that is open: asked for, outlined, refreshed.
"use strict";
(function (G) {
  const state = { current: null, hits: [], people: {}, asked: 0 };
  let outline = null;
  let abort = null;

  // --- the outline on the map ----------------------------------------------------------------------------
  function ringIcon(size) {
    return L.divIcon({ className: "gm-ring", iconSize: [size, size], html: "" });
  }

  const quiet = { interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-outline" };

  function shapeLayer(geometry, { color, weight = 4, dashArray = null, ring = 34 } = {}) {
    const halo = L.geoJSON(geometry, {
      ...quiet,
      style: { ...quiet, color: "#fff", weight: weight + 4, opacity: 0.85, fill: false },
      pointToLayer: (_, latlng) => L.marker(latlng, { ...quiet, icon: ringIcon(ring), keyboard: false }),
    });
    const line = L.geoJSON(geometry, {
      ...quiet,
      style: { ...quiet, color, weight, dashArray, opacity: 1, fill: !dashArray, fillColor: color, fillOpacity: 0.06 },
      filter: () => geometry.type !== "Point",
    });
    return L.layerGroup([halo, line], { pmIgnore: true });
  }

  function drawOutline(geometry) {
    clearOutline();
    if (!geometry) return;
    const symbol = state.current && G.symbols.symbolFor(state.current.layer, state.current.feature.properties);
    const ring = symbol ? Math.round(G.symbols.markerSize(symbol, G.app.map.getZoom())) + 13 : 34;
    outline = shapeLayer(geometry, { color: G.app.style.selected, ring }).addTo(G.app.map);
    // Another's symbol may lie over its own.
    if (symbol && geometry.type === "Point") outline.addLayer(markOf(geometry, symbol, ring - 13));
  }

  function markOf({ coordinates: [lon, lat] }, symbol, size) {
    const side = size + 8;
    const canvas = G.h("canvas", { width: side * 2, height: side * 2 });
    canvas.style.width = canvas.style.height = `${side}px`;
    const ctx = canvas.getContext("2d");
    ctx.scale(2, 2);
    G.symbols.marker(ctx, symbol, side / 2, side / 2, size);
    const icon = L.divIcon({ className: "gm-selected-mark", html: canvas, iconSize: [side, side] });
    return L.marker([lat, lon], { ...quiet, icon, keyboard: false });
  }

  function clearOutline() {
    if (outline) outline.remove();
    outline = null;
  }

  // --- finding --------------------------------------------------------------------------------------------
  function tolerancePixels(event) {
    const touch = event.originalEvent && (event.originalEvent.pointerType === "touch" || L.Browser.mobile);
    return touch ? 18 : 9;
  }

  function degrees(latlng, pixels) {
    const { map } = G.app;
    const at = map.latLngToContainerPoint(latlng);
    const beside = map.containerPointToLatLng(at.add([pixels, 0]));
    return Math.abs(beside.lng - latlng.lng);
  }

  function clickableLayers() {
    const zoom = G.app.map.getZoom();
    return G.app.catalogue.layers.filter((one) => G.tiles.isVisible(one.id) && G.tiles.inRange(one, zoom));
  }

  const layerOf = (feature) => feature.layer || feature.properties.layer;
  const dimension = (layer) => (G.symbols.isPoint(layer) ? 0 : G.symbols.isLine(layer) ? 1 : 2);

  // Points before lines before areas, and the elements people keep before the ground they stand on.
  function ranked(features) {
    const rank = (one) => {
      const layer = G.app.layers[layerOf(one)];
      return dimension(layer) + (layer.basemap ? 10 : 0);
    };
    return features
      .filter((one) => G.app.layers[layerOf(one)])
      .map((one, i) => [one, i])
      .sort((a, b) => rank(a[0]) - rank(b[0]) || a[1] - b[1])
      .map(([one]) => one);
  }

  async function clicked(event) {
    if (G.edit.isBusy()) return G.edit.clickedBeside(event);
    const layers = clickableLayers().map((one) => one.id);
    if (!layers.length) return;
    if (abort) abort.abort();
    abort = new AbortController();
    const asked = ++state.asked;
    const started = performance.now();
    try {
      const answer = await G.api.identify(event.latlng.lng, event.latlng.lat, degrees(event.latlng, tolerancePixels(event)), layers, abort.signal, G.past.at);
      if (asked !== state.asked) return;
      const hits = ranked(answer.features || []);
      state.hits = hits;
      state.people = answer.people;
      if (!hits.length) return close();
      const top = hits.filter((one) => dimension(G.app.layers[layerOf(one)]) === dimension(G.app.layers[layerOf(hits[0])]) && dimension(G.app.layers[layerOf(one)]) < 2);
      if (top.length > 1) return G.details.choose(hits);
      await show(hits[0]);
      state.took = performance.now() - started;
    } catch (error) {
      if (error.name !== "AbortError") G.toast(error.message, { kind: "bad" });
    }
  }

  // --- opening --------------------------------------------------------------------------------------------
  // A feature that is already here is shown at once; what else there is to say about it follows.
  async function show(feature, people = state.people) {
    const layer = G.app.layers[layerOf(feature)];
    state.current = { layer, id: feature.id, feature, people, etag: null, grids: null, mayEdit: null, reason: null };
    drawOutline(feature.geometry);
    G.details.render();
    if (G.past.at) G.emit("selected", state.current);
    else await reload();
  }

  async function open(layerId, id, { fly = false, hits = [] } = {}) {
    const layer = G.app.layers[layerId];
    if (!layer) return;
    state.hits = hits;
    const asked = ++state.asked;
    G.details.loading(layer);
    try {
      const answer = G.past.at ? await G.api.asOf(layerId, id, G.past.at) : await G.api.element(layerId, id);
      if (asked !== state.asked) return;
      take(layer, answer);
      if (fly) flyTo(answer.feature.geometry, layer);
      G.details.render();
    } catch (error) {
      if (asked === state.asked) G.details.failed(error, () => open(layerId, id, { fly, hits }));
    }
  }

  function take(layer, answer) {
    state.current = {
      layer,
      id: answer.feature.id,
      feature: answer.feature,
      people: answer.people,
      etag: answer.etag,
      grids: answer.grids || [],
      mayEdit: !!answer.may_edit,
      reason: answer.cannot_edit_reason,
    };
    drawOutline(answer.feature.geometry);
    G.emit("selected", state.current);
  }

  // Ask again for the open element; keeps the tab that is open.
  async function reload() {
    const { current } = state;
    if (!current || current.isGone || G.past.at) return;
    const asked = state.asked;
    try {
      const answer = await G.api.element(current.layer.id, current.id);
      if (state.current !== current || asked !== state.asked) return;
      take(current.layer, answer);
      G.details.render();
    } catch (error) {
      if (state.current !== current) return;
      if (error.status === 404) G.details.gone(current, error);
      else if (!current.etag) G.details.failed(error, reload);
    }
  }

  function close() {
    if (abort) abort.abort();
    state.asked += 1;
    state.current = null;
    state.hits = [];
    clearOutline();
    G.details.close();
    G.emit("selected", null);
  }

  // --- moving the view --------------------------------------------------------------------------------------
  function flyTo(geometry, layer) {
    const { map } = G.app;
    const bounds = L.geoJSON(geometry).getBounds();
    const room = G.panels.room();
    if (geometry.type === "Point") {
      const zoom = Math.max(map.getZoom(), Math.min(16, Math.max(15, layer ? layer.min_zoom : 15)));
      const spot = map.project(bounds.getCenter(), zoom).add([(room.right - room.left) / 2, (room.bottom - room.top) / 2]);
      map.setView(map.unproject(spot, zoom), zoom, { animate: false });
      return;
    }
    map.fitBounds(bounds, { paddingTopLeft: [room.left + 30, room.top + 30], paddingBottomRight: [room.right + 30, room.bottom + 30], maxZoom: 17, animate: false });
  }

  G.select = {
    state, clicked, show, open, reload, close, flyTo, drawOutline, clearOutline, shapeLayer, layerOf, clickableLayers,
    get current() {
      return state.current;
    },
  };
})(window.Gridmap);
