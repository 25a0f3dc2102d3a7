// Drawing and reshaping on the map with GeoMan: one element at a time, nothing saved before the person says so.
"use strict";
(function (G) {
  const S = () => G.symbols;
  const SNAP_LIMIT = 400;
  const MANY_VERTICES = 250;
  let guides = null;
  let session = null;
  let drawing = null;
  let lastDrag = -Infinity;

  const DRAW = { Point: "Marker", MultiLineString: "Line", MultiPolygon: "Polygon" };
  const HINTS = {
    Point: "在地图上点一下放置",
    MultiLineString: "逐点画线,点最后一点结束",
    MultiPolygon: "逐点画边界,点第一个点闭合",
  };

  const pathStyle = () => ({ color: G.app.style.selected, weight: 3, fillColor: G.app.style.selected, fillOpacity: 0.12, pane: "gm-edit" });

  function icon(symbol) {
    const side = 48;
    const canvas = G.h("canvas", { class: "gm-edit-marker" });
    canvas.width = canvas.height = side * 2;
    const ctx = canvas.getContext("2d");
    ctx.scale(2, 2);
    ctx.beginPath();
    ctx.arc(side / 2, side / 2, side / 2 - 2, 0, 7);
    ctx.fillStyle = "rgba(255,255,255,.75)";
    ctx.fill();
    ctx.lineWidth = 2.5;
    ctx.strokeStyle = G.app.style.selected;
    ctx.stroke();
    S().marker(ctx, symbol, side / 2, side / 2, 24);
    return L.divIcon({ className: "gm-edit-icon", html: canvas, iconSize: [side, side], iconAnchor: [side / 2, side / 2] });
  }

  // --- what to snap to: the neighbours of the same layer in view --------------------------------------------
  async function showGuides(layer, exceptId) {
    hideGuides();
    if (S().isPoint(layer)) return;
    const { map } = G.app;
    const b = map.getBounds();
    const bbox = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((n) => n.toFixed(6)).join(",");
    const mine = (guides = L.layerGroup([], { pmIgnore: true }));
    try {
      const answer = await G.api.items(layer.id, { bbox, limit: SNAP_LIMIT });
      if (guides !== mine) return;
      const others = (answer.features || []).filter((one) => one.id !== exceptId);
      L.geoJSON(others, { interactive: false, pane: "gm-guides", style: { color: "#6b7482", weight: 1.5, dashArray: "2 4", fill: false, interactive: false, pane: "gm-guides" } })
        .eachLayer((one) => mine.addLayer(one));
      mine.addTo(map);
    } catch {
      // Without neighbours to snap to, one can still draw.
    }
  }

  function hideGuides() {
    if (guides) guides.remove();
    guides = null;
  }

  // --- geometry in and out -------------------------------------------------------------------------------------
  const round = (n) => Math.round(n * 1e7) / 1e7;

  // Untouched vertices stay as they were to the last bit, so that neighbours keep sharing them; moved ones get
  // a centimetre's precision.
  function cleaned(geometry, original) {
    const known = new Set();
    const visit = (c, run) => (typeof c[0] === "number" ? run(c) : c.map((one) => visit(one, run)));
    if (original) visit(original.coordinates, (c) => known.add(`${c[0]},${c[1]}`));
    const coordinates = visit(geometry.coordinates, (c) => (known.has(`${c[0]},${c[1]}`) ? [c[0], c[1]] : [round(c[0]), round(c[1])]));
    return { type: geometry.type, coordinates };
  }

  function toLayer(layer, geometry, props) {
    if (geometry.type === "Point") {
      const [lon, lat] = geometry.coordinates;
      return L.marker([lat, lon], { icon: icon(S().symbolFor(layer, props)), pane: "gm-edit-markers", title: "拖动以移动", alt: "正在编辑的位置" });
    }
    const made = L.GeoJSON.geometryToLayer({ type: "Feature", properties: {}, geometry });
    made.setStyle(pathStyle());
    made.options.pane = "gm-edit";
    return made;
  }

  const countVertices = (geometry) => JSON.stringify(geometry.coordinates).split("[").length / 1.2;

  /*
   * Make `geometry` editable. Answers {geometry(), isChanged(), setPoint(lon, lat), stop()}; `onChange` runs at
   * each drop (GeoMan says a drag twice: at the drop and again when editing ends; only the geometry counts).
   */
  function edit(layer, geometry, { id = null, props = {}, onChange = () => {} } = {}) {
    stop();
    const { map } = G.app;
    const shape = toLayer(layer, geometry, props).addTo(map);
    let last = JSON.stringify(geometry);
    const read = () => cleaned(shape.toGeoJSON(false).geometry, geometry);
    const changed = () => {
      const now = JSON.stringify(read());
      if (now === last) return;
      last = now;
      onChange(JSON.parse(now));
    };
    shape.on("pm:drag pm:dragend pm:markerdrag pm:markerdragend", () => (lastDrag = performance.now()));
    shape.on("pm:dragend pm:update pm:edit pm:vertexadded pm:vertexremoved pm:markerdragend", changed);
    shape.pm.enable({
      snappable: true,
      snapDistance: 14,
      allowSelfIntersection: S().isLine(layer),
      allowSelfIntersectionEdit: false,
      preventMarkerRemoval: geometry.type === "Point",
      draggable: geometry.type === "Point",
      limitMarkersToCount: countVertices(geometry) > MANY_VERTICES ? 120 : -1,
      addVertexOn: "click",
    });
    showGuides(layer, id);
    session = {
      geometry: read,
      isChanged: () => !G.same(read(), geometry),
      setPoint(lon, lat) {
        shape.setLatLng([lat, lon]);
        changed();
        if (!map.getBounds().contains([lat, lon])) map.panTo([lat, lon], { animate: false });
      },
      setGeometry(next) {
        if (next.type === "Point") return session.setPoint(...next.coordinates);
        shape.setLatLngs(L.GeoJSON.geometryToLayer({ type: "Feature", properties: {}, geometry: next }).getLatLngs());
        // The handles of the vertices are made anew.
        shape.pm.disable();
        shape.pm.enable();
        changed();
      },
      stop() {
        shape.off();
        if (shape.pm) shape.pm.disable();
        shape.remove();
        hideGuides();
        if (session && session.shape === shape) session = null;
      },
      shape,
    };
    return session;
  }

  function stop() {
    if (session) session.stop();
    if (drawing) drawing(null);
  }

  // Let somebody draw a new shape (of the layer's kind, or `kind`); answers its geometry, or null when given up.
  function draw(layer, kind = layer.geometry) {
    stop();
    const { map } = G.app;
    showGuides(layer, null);
    return new Promise((resolve) => {
      const finish = (geometry) => {
        map.off("pm:create", created);
        map.pm.disableDraw();
        hideGuides();
        drawing = null;
        resolve(geometry);
      };
      const created = (event) => {
        const geometry = cleaned(event.layer.toGeoJSON(false).geometry, null);
        event.layer.remove();
        finish(geometry);
      };
      drawing = finish;
      map.on("pm:create", created);
      map.pm.enableDraw(DRAW[kind], {
        snappable: true,
        snapDistance: 14,
        tooltips: !L.Browser.mobile,
        continueDrawing: false,
        allowSelfIntersection: kind === "MultiLineString",
        markerStyle: { icon: icon(layer.symbol), pane: "gm-edit-markers" },
        templineStyle: { ...pathStyle(), fill: false },
        hintlineStyle: { ...pathStyle(), dashArray: "5 5", fill: false },
        pathOptions: pathStyle(),
        finishOn: kind === "MultiLineString" ? "dblclick" : null,
      });
    });
  }

  // --- the floating bar ---------------------------------------------------------------------------------------
  function bar({ text, point = null, coordinates = null, note = null, onSave = null, onCancel }) {
    const host = document.getElementById("gm-bar");
    const save = onSave && G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "保存", on: { click: onSave } });
    const number = (label, value, run) => {
      const input = G.h("input", { class: "gm-input gm-input-number", type: "text", inputmode: "decimal", "aria-label": label, value: value.toFixed(6) });
      input.addEventListener("change", () => run(Number(input.value)));
      return [G.h("span", { class: "gm-bar-label", text: label }), input];
    };
    let inputs = [];
    if (point) {
      inputs = [number("经度", point.lon, (n) => point.set(n, null)), number("纬度", point.lat, (n) => point.set(null, n))];
    }
    G.replace(host,
      G.h("p", { class: "gm-bar-text", text }),
      note,
      inputs.length > 0 && G.h("div", { class: "gm-bar-point" }, inputs),
      G.h("div", { class: "gm-bar-buttons" }, save,
        coordinates && G.h("button", { class: "gm-button", type: "button", text: "坐标…", title: "用文字输入或修改坐标", on: { click: () => askCoordinates(coordinates) } }), G.h("button", { class: "gm-button", type: "button", text: "取消", on: { click: onCancel } })));
    host.hidden = false;
    // The control that was pressed is gone: the keyboard goes on here.
    host.tabIndex = -1;
    host.focus();
    const fields = host.querySelectorAll("input");
    return {
      close() {
        host.hidden = true;
        host.replaceChildren();
      },
      place(lon, lat) {
        if (!fields.length) return;
        fields[0].value = lon.toFixed(6);
        fields[1].value = lat.toFixed(6);
      },
    };
  }

  // --- without the map: positions as text ------------------------------------------------------------------------
  const LEAST = { Point: 1, MultiLineString: 2, MultiPolygon: 3 };

  // The positions of a simple shape; null for one of several parts or with holes, which only the map can edit.
  function positionsOf(geometry) {
    if (!geometry) return [];
    const parts = geometry.coordinates;
    switch (geometry.type) {
      case "Point": return [parts];
      case "LineString": return parts;
      case "MultiLineString": return parts.length === 1 ? parts[0] : null;
      case "Polygon": return parts.length === 1 ? parts[0].slice(0, -1) : null;
      case "MultiPolygon": return parts.length === 1 && parts[0].length === 1 ? parts[0][0].slice(0, -1) : null;
      default: return null;
    }
  }

  function shapeOf(kind, positions) {
    if (kind === "Point") return { type: "Point", coordinates: positions[0] };
    if (kind === "MultiLineString") return { type: "MultiLineString", coordinates: [positions] };
    return { type: "MultiPolygon", coordinates: [[[...positions, positions[0]]]] };
  }

  // {positions} or {fault}: a line of text for each, longitude first.
  function readPositions(kind, text) {
    const lines = text.split(/\n/).map((one) => one.trim()).filter(Boolean);
    const positions = lines.map((one) => one.split(/[\s,,]+/).map(Number));
    const wrong = positions.findIndex((one) => one.length !== 2 || !one.every(Number.isFinite) || Math.abs(one[0]) > 180 || Math.abs(one[1]) > 90);
    if (wrong >= 0) return { fault: `第 ${wrong + 1} 行应为“经度,纬度”,如 121.473500,30.918200。` };
    if (positions.length < LEAST[kind]) return { fault: `至少需要 ${LEAST[kind]} 个点。` };
    if (kind === "Point" && positions.length > 1) return { fault: "只需要一个点。" };
    return { positions };
  }

  async function askCoordinates({ kind, read, write }) {
    const now = positionsOf(read());
    if (now === null) return G.toast("该图形有多个部分或空洞,请在地图上修改。", { kind: "warn" });
    const area = G.h("textarea", { class: "gm-input", id: "gm-positions", rows: "10", spellcheck: "false" });
    area.value = now.map(([lon, lat]) => `${lon},${lat}`).join("\n");
    const fault = G.h("p", { class: "gm-fault", role: "alert" });
    const check = () => {
      fault.textContent = readPositions(kind, area.value).fault || "";
      return !fault.textContent;
    };
    const answer = await G.dialogs.ask({
      title: "用文字输入坐标",
      content: [G.h("label", { class: "gm-label", for: "gm-positions", text: "每行一个点:经度,纬度(WGS 84)" }), area, fault],
      buttons: [{ title: "取消", value: false }, { title: "使用这些坐标", value: true, kind: "primary", check }],
      onOpen: () => area.focus(),
    });
    if (answer === true) write(shapeOf(kind, readPositions(kind, area.value).positions));
  }

  // Finish the drawing that is going on with a shape that was typed.
  const supply = (geometry) => drawing && drawing(geometry);

  G.shape = { edit, draw, supply, stop, bar, hints: HINTS, isDrawing: () => !!drawing, sinceDrag: () => performance.now() - lastDrag };
})(window.Gridmap);
