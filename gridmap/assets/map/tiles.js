// Vector tiles: what is fetched, in which order it is painted, where names stand.
"use strict";
(function (G) {
  const S = () => G.symbols;
  // Tiles are made for 256 pixels: finer detail, such as small roads, begins at the zoom that is shown.
  const LEVEL_DIFF = 0;
  const MAX_DATA_ZOOM = 17;
  const LABEL_SUFFIX = "_label";
  // So much of its side beyond its edges a tile holds points of its neighbours (`_POINT_BUFFER` of the server), and a bit.
  const TILE_BUFFER = 0.13;
  // Below, the marks would hide the markers.
  const DUE_MIN_ZOOM = 13;
  // What is drawn first lies lowest.
  const RANK = { baseArea: 1, baseLine: 2, area: 3, line: 4, grid: 5, point: 6 };

  const visible = new Set();
  const hidden = new Set();
  const sourceOf = new Map();
  let view = null;
  let failures = 0;
  // What is added to each address while the map stands at a time in the past.
  let moment = "";
  // What lies below the tiles in place of their own ground, which would cover it.
  const grounds = new Set();

  function rank(layer) {
    if (S().isPoint(layer)) return RANK.point;
    if (S().isLine(layer)) return layer.basemap ? RANK.baseLine : RANK.line;
    if (layer.grid) return RANK.grid;
    return layer.basemap ? RANK.baseArea : RANK.area;
  }

  // Layers from the bottom up. Wider grids are drawn over the finer ones they consist of.
  function inDrawingOrder(layers) {
    return [...layers].sort((a, b) => {
      if (rank(a) !== rank(b)) return rank(a) - rank(b);
      return rank(a) === RANK.grid ? b.order - a.order : a.order - b.order;
    });
  }

  const isWide = (layer) => layer.basemap || layer.parent === "district";
  const isLand = (layer) => layer.basemap && layer.grid && S().isArea(layer);
  const inRange = (layer, zoom) => zoom >= layer.min_zoom && zoom <= layer.max_zoom;
  const shown = (layer, zoom) => visible.has(layer.id) && inRange(layer, zoom);
  const isHidden = (feature) => hidden.size > 0 && hidden.has(feature.props.gid);

  // --- fetching -----------------------------------------------------------------------------------------
  let underway = 0;
  function count(step) {
    underway += step;
    G.emit("loading", underway);
  }

  async function fetchTile(collections, z, x, y, signal) {
    count(1);
    try {
      return await ask(collections, z, x, y, signal);
    } finally {
      count(-1);
    }
  }

  async function ask(collections, z, x, y, signal) {
    const path = `${G.root}/ogc/tiles/WebMercatorQuad/${z}/${y}/${x}?collections=${collections.join(",")}${moment}`;
    let answer;
    try {
      // The browser keeps tiles and asks with their ETag: what did not change answers 304.
      answer = await fetch(path, { credentials: "same-origin", signal, headers: { Accept: "application/vnd.mapbox-vector-tile" } });
    } catch (error) {
      if (error.name !== "AbortError") failed();
      // The drawing library says every other failure aloud; ours are shown to the person instead.
      throw quiet(error);
    }
    if (answer.status === 401) G.emit("signed-out");
    if (answer.status === 404 || answer.status === 204) return undefined;
    if (!answer.ok) {
      failed();
      throw quiet(new Error(`tile ${answer.status}`));
    }
    const data = await answer.arrayBuffer();
    failures = 0;
    G.emit("tiles", true);
    return data.byteLength ? { data } : undefined;
  }

  function quiet(error) {
    if (error.name === "AbortError") return error;
    const silent = new Error(error.message);
    silent.name = "AbortError";
    return silent;
  }

  function failed() {
    failures += 1;
    G.emit("tiles", false);
  }

  const source = (collections) => ({
    collections,
    options: {
      url: { getZxy: (z, x, y, signal) => fetchTile(collections, z, x, y, signal) },
      maxDataZoom: MAX_DATA_ZOOM,
      levelDiff: LEVEL_DIFF,
    },
  });

  // --- painting -----------------------------------------------------------------------------------------
  function path(ctx, geom) {
    ctx.beginPath();
    for (const ring of geom) ring.forEach((p, i) => (i ? ctx.lineTo(p.x, p.y) : ctx.moveTo(p.x, p.y)));
  }

  // The ground of the district itself, so that inside and outside differ.
  const land = (layer) => ({
    dataLayer: layer.id,
    symbolizer: {
      draw(ctx, geom) {
        if (grounds.size) return;
        path(ctx, geom);
        ctx.globalAlpha = 1;
        ctx.fillStyle = G.app.style.land;
        ctx.fill();
      },
    },
  });

  const area = (layer) => ({
    draw(ctx, geom, z, feature) {
      const symbol = S().symbolFor(layer, feature.props);
      path(ctx, geom);
      if (symbol.fill_opacity > 0) {
        ctx.globalAlpha = symbol.fill_opacity;
        ctx.fillStyle = symbol.color;
        ctx.fill();
      }
      // Fine grids step back where they are dense.
      ctx.globalAlpha = z <= 11 && !isWide(layer) ? 0.55 : 0.9;
      ctx.lineJoin = "round";
      S().strokeLine(ctx, symbol, S().lineWidth(layer, symbol, z));
      ctx.globalAlpha = 1;
    },
  });

  const line = (layer, isCasing) => ({
    draw(ctx, geom, z, feature) {
      const symbol = S().symbolFor(layer, feature.props);
      if (z < symbol.min_zoom) return;
      const width = S().lineWidth(layer, symbol, z);
      path(ctx, geom);
      ctx.lineJoin = "round";
      ctx.lineCap = symbol.shape === "solid" ? "round" : "butt";
      ctx.globalAlpha = layer.basemap ? S().scaled(G.app.style.scales.line_opacity, z) : 1;
      if (isCasing) {
        ctx.globalAlpha = 1;
        ctx.strokeStyle = "#fffdf8";
        ctx.lineWidth = width + 2.4;
        ctx.stroke();
      } else {
        S().strokeLine(ctx, symbol, Math.max(0.7, width));
      }
    },
  });

  const point = (layer) => ({
    draw(ctx, geom, z, feature) {
      const symbol = S().symbolFor(layer, feature.props);
      if (z < symbol.min_zoom) return;
      ctx.globalAlpha = 1;
      for (const [p] of geom) S().drawSprite(ctx, symbol, p.x, p.y, z, z >= DUE_MIN_ZOOM && !!feature.props.due);
    },
  });

  function withFilter(layer, symbolizer, extra) {
    return {
      dataSource: sourceOf.get(layer.id),
      dataLayer: layer.id,
      symbolizer,
      filter: (z, feature) => shown(layer, z) && !isHidden(feature) && (!extra || extra(z, feature)),
    };
  }

  function paintRules(layers) {
    const rules = [];
    for (const layer of layers.filter(isLand)) {
      rules.push({ ...land(layer), dataSource: sourceOf.get(layer.id) });
    }
    for (const layer of inDrawingOrder(layers)) {
      if (S().isPoint(layer)) rules.push(withFilter(layer, point(layer)));
      else if (S().isArea(layer)) rules.push(withFilter(layer, area(layer)));
      else rules.push(...lineRules(layer));
    }
    return rules;
  }

  // Roads: all rims below all fills, and the narrow ones below the wide ones, so that crossings look joined.
  function lineRules(layer) {
    const byWidth = [...new Set(Object.values(layer.symbols).map((one) => one.size).concat(layer.symbol.size))].sort((a, b) => a - b);
    const sized = (size) => (z, feature) => S().symbolFor(layer, feature.props).size === size;
    const rules = [];
    if (layer.basemap && byWidth.length > 2) {
      for (const size of byWidth.filter((one) => one >= 2)) {
        rules.push(withFilter(layer, line(layer, true), (z, f) => z >= 12 && sized(size)(z, f)));
      }
    }
    for (const size of byWidth) rules.push(withFilter(layer, line(layer, false), sized(size)));
    return rules;
  }

  // --- names --------------------------------------------------------------------------------------------
  const font = (size, weight) => S().font(size, weight);
  const words = (layer, feature) => feature.props.name || feature.props.code || "";

  function textBox(scratch, text, theFont) {
    scratch.font = theFont;
    const metrics = scratch.measureText(text);
    return { width: metrics.width, ascent: metrics.fontBoundingBoxAscent * 0.86, descent: metrics.fontBoundingBoxDescent * 0.8 };
  }

  function writer(text, theFont, color, dx, dy) {
    return (ctx) => {
      ctx.globalAlpha = 1;
      ctx.font = theFont;
      ctx.lineJoin = "round";
      ctx.lineWidth = 3.5;
      ctx.strokeStyle = "rgba(255,255,255,.92)";
      ctx.strokeText(text, dx, dy);
      ctx.fillStyle = color;
      ctx.fillText(text, dx, dy);
    };
  }

  // To the right of the marker, else to the left, below, above.
  const pointLabel = (layer) => ({
    place(layout, geom, feature) {
      const symbol = S().symbolFor(layer, feature.props);
      const text = words(layer, feature);
      if (!text || layout.zoom < symbol.min_zoom) return undefined;
      const anchor = geom[0][0];
      // What has its name early is what the map is about.
      const isMain = layer.label_min_zoom <= 12;
      const theFont = isMain ? font(13, 600) : font(12);
      const { width, ascent, descent } = textBox(layout.scratch, text, theFont);
      const away = S().markerSize(symbol, layout.zoom) / 2 + 6;
      const middle = (ascent - descent) / 2;
      const spots = [[away, middle], [-away - width, middle], [-width / 2, away + ascent], [-width / 2, -away - descent]];
      for (const [dx, dy] of spots) {
        const box = { minX: anchor.x + dx - 2, maxX: anchor.x + dx + width + 2, minY: anchor.y + dy - ascent, maxY: anchor.y + dy + descent };
        if (layout.index.bboxCollides(box, layout.order)) continue;
        // Later names keep off this marker too.
        const r = away - 4;
        const own = { minX: anchor.x - r, maxX: anchor.x + r, minY: anchor.y - r, maxY: anchor.y + r };
        return [{ anchor, bboxes: [box, own], draw: writer(text, theFont, G.app.style.ink, dx, dy), deduplicationKey: feature.props.gid, deduplicationDistance: 40 }];
      }
      return undefined;
    },
  });

  // Areas come with one point each, in the one tile where their name belongs.
  const areaLabel = (layer) => ({
    place(layout, geom, feature) {
      const text = words(layer, feature);
      if (!text) return undefined;
      const theFont = isWide(layer) ? font(layout.zoom >= 12 ? 16 : 14, 600) : font(layer.grid ? 12 : 11);
      const { width, ascent, descent } = textBox(layout.scratch, text, theFont);
      const anchor = geom[0][0];
      const isDue = layout.zoom >= DUE_MIN_ZOOM && !!feature.props.due;
      const box = { minX: anchor.x - width / 2 - 4, maxX: anchor.x + width / 2 + (isDue ? 22 : 4), minY: anchor.y - ascent, maxY: anchor.y + descent };
      const write = writer(text, theFont, S().darker(layer.symbol.color), -width / 2, (ascent - descent) / 2);
      const draw = (ctx) => {
        write(ctx);
        // The same mark that markers bear, beside the name.
        if (isDue) S().dueMark(ctx, width / 2 + 3, 8, 16);
      };
      return [{ anchor, bboxes: [box], draw }];
    },
  });

  // Along the line, with a white rim; the library places it, we choose the look.
  function lineLabel(layer) {
    return new protomapsL.LineLabelSymbolizer({
      labelProps: ["name"],
      font: () => font(layer.basemap && !layer.symbol_by ? 12 : 11),
      fill: (z, feature) => S().darker(S().symbolFor(layer, feature.props).color),
      stroke: "rgba(255,255,255,.9)",
      width: 3.5,
      position: 2,
      repeatDistance: 600,
    });
  }

  // Earlier rules win the room: towns, then the points by rank, then grids, then water and roads.
  function labelRules(layers) {
    const order = (layer) => {
      if (S().isPoint(layer)) return 1000 - layer.order;
      if (S().isArea(layer)) return layer.parent === "district" || layer.basemap ? layer.order : 2000 + layer.order;
      return 3000 + layer.order;
    };
    return [...layers]
      .sort((a, b) => order(a) - order(b))
      .map((layer) => ({
        dataSource: sourceOf.get(layer.id),
        dataLayer: S().isArea(layer) ? layer.id + LABEL_SUFFIX : layer.id,
        minzoom: Math.max(layer.label_min_zoom, layer.min_zoom, 1),
        filter: (z, feature) => shown(layer, z) && !isHidden(feature),
        symbolizer: S().isPoint(layer) ? pointLabel(layer) : S().isArea(layer) ? areaLabel(layer) : lineLabel(layer),
      }));
  }

  // --- the layer on the map -------------------------------------------------------------------------------
  let sources = new Map();

  function allLayers() {
    return G.app.catalogue.layers;
  }

  const sourced = () => allLayers().filter((one) => sourceOf.has(one.id));

  function build(map) {
    const options = {};
    for (const [name, one] of sources) options[name] = one.options;
    view = protomapsL.leafletLayer({
      sources: options,
      attribution: "",
      lang: "zh",
      paintRules: paintRules(sourced()),
      labelRules: labelRules(sourced()),
      maxZoom: 20,
      keepBuffer: 1,
      updateWhenZooming: false,
    });
    // A wide screen has more than the library's 16 labelled tiles in view.
    view.clearLayout = function () {
      this.labelers = new protomapsL.Labelers(this.scratch, this.labelRules, 64, this.onTilesInvalidated);
    };
    view.clearLayout();
    view.addTo(map);
    view.getContainer().classList.add("gm-vector");
  }

  function repaint() {
    if (!view || !view._map) return;
    view.clearLayout();
    view.rerenderTiles();
  }

  // What is on at the start travels in one request per tile, and each layer switched on later in one of its own;
  // switching off and on again asks for nothing.
  function start(map, on) {
    sources = new Map();
    sourceOf.clear();
    visible.clear();
    on.forEach((id) => visible.add(id));
    const first = allLayers().filter((one) => visible.has(one.id) || isLand(one));
    if (!first.length) return;
    sources.set("main", source(first.map((one) => one.id)));
    first.forEach((one) => sourceOf.set(one.id, "main"));
    build(map);
  }

  function show(id, isOn) {
    if (isOn) visible.add(id);
    else visible.delete(id);
    if (isOn && !sourceOf.has(id)) {
      sources.set(id, source([id]));
      sourceOf.set(id, id);
      if (!view) return build(G.app.map);
      // The layer on the map stays, with its tiles: only the new source is fetched.
      for (const [name, made] of protomapsL.sourcesToViews({ sources: { [id]: sources.get(id).options } })) view.views.set(name, made);
      view.paintRules = paintRules(sourced());
      view.labelRules = labelRules(sourced());
    }
    repaint();
  }

  function tileBox(key) {
    const [x, y, z] = key.split(":").map(Number);
    const lon = (t) => (t / 2 ** z) * 360 - 180;
    const lat = (t) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * t) / 2 ** z))) * 180) / Math.PI;
    const slackX = (lon(x + 1) - lon(x)) * TILE_BUFFER;
    const slackY = (lat(y) - lat(y + 1)) * TILE_BUFFER;
    return [lon(x) - slackX, lat(y + 1) - slackY, lon(x + 1) + slackX, lat(y) + slackY];
  }

  const meet = (a, b) => a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];

  // Ask again for the tiles of these layers: all of them, or those that one of `boxes` touches.
  function refresh(layerIds, boxes = null) {
    if (!view) return;
    for (const [name, one] of view.views) {
      const concerned = sources.get(name).collections.some((id) => layerIds.includes(id));
      if (!concerned) continue;
      for (const key of [...one.tileCache.cache.keys()]) {
        if (!boxes || boxes.some((box) => meet(box, tileBox(key)))) one.tileCache.cache.delete(key);
      }
    }
    repaint();
  }

  // Elements of point layers within `brush` pixels, from the tiles that are already here.
  function near(latlng, brush) {
    if (!view || !view._map) return [];
    const zoom = view._map.getZoom();
    const found = [];
    for (const picked of view.queryTileFeaturesDebug(latlng.lng, latlng.lat, brush).values()) {
      for (const { feature, layerName } of picked) {
        const layer = G.app.layers[layerName];
        if (layer && S().isPoint(layer) && shown(layer, zoom) && !isHidden(feature)) found.push({ layer, props: feature.props });
      }
    }
    return found;
  }

  G.tiles = {
    start, show, refresh, repaint, near, inRange,
    isVisible: (id) => visible.has(id),
    visibleLayers: () => [...visible],
    // While an element is being edited its stored picture is taken off the map.
    hide(id) {
      hidden.add(id);
      repaint();
    },
    unhide(id) {
      hidden.delete(id);
      repaint();
    },
    // Say that something by this name is the ground, or no longer.
    ground(name, isOn) {
      if (isOn) grounds.add(name);
      else grounds.delete(name);
      repaint();
    },
    // Show the layers as they stood at a time (RFC 3339), or as they are (null).
    setTime(at) {
      moment = at ? `&datetime=${encodeURIComponent(at)}` : "";
      refresh(allLayers().map((one) => one.id));
    },
    failures: () => failures,
    get layer() {
      return view;
    },
  };
})(window.Gridmap);
