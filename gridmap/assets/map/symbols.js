// Symbols as the catalogue has them, drawn on a canvas: shape and colour together, on the map and in the legend.
"use strict";
(function (G) {
  const style = () => G.app.style;

  function scaled(stops, zoom) {
    if (zoom <= stops[0][0]) return stops[0][1];
    for (let i = 1; i < stops.length; i++) {
      const [low, first] = stops[i - 1];
      const [high, second] = stops[i];
      if (zoom <= high) return first + ((second - first) * (zoom - low)) / (high - low);
    }
    return stops[stops.length - 1][1];
  }

  // The symbol of an element, by its properties (of a feature or of a tile: both have the deciding field).
  function symbolFor(layer, props) {
    if (!layer.symbol_by) return layer.symbol;
    for (const one of layer.symbol_exceptions || []) if (String(props[one.field]) === one.value) return one.symbol;
    return layer.symbols[String(props[layer.symbol_by])] || layer.symbol;
  }

  function trace(ctx, ring, x, y, radius) {
    ctx.beginPath();
    ring.forEach(([rx, ry], i) => (i ? ctx.lineTo(x + rx * radius, y + ry * radius) : ctx.moveTo(x + rx * radius, y + ry * radius)));
    ctx.closePath();
  }

  // A marker of `size` pixels around (x, y): white rim, colour, dark edge, inset.
  function marker(ctx, symbol, x, y, size) {
    const s = style();
    const outline = s.outlines[symbol.shape] || s.outlines.circle;
    const radius = size / 2;
    ctx.lineJoin = "round";
    trace(ctx, outline, x, y, radius);
    ctx.strokeStyle = s.halo;
    ctx.lineWidth = Math.max(2.5, size / 5);
    ctx.stroke();
    ctx.fillStyle = symbol.color;
    ctx.fill();
    const inset = s.insets[symbol.shape];
    if (inset && size >= 11) {
      trace(ctx, inset, x, y, radius);
      ctx.fillStyle = s.halo;
      ctx.fill();
    }
  }

  // A small clock-like mark at the upper right: the element is due for verification. Shape, not colour alone.
  function dueMark(ctx, x, y, size) {
    const r = Math.max(4.5, size * 0.3);
    const cx = x + size * 0.5;
    const cy = y - size * 0.5;
    ctx.beginPath();
    ctx.arc(cx, cy, r, 0, 2 * Math.PI);
    ctx.fillStyle = "#b3261e";
    ctx.fill();
    ctx.strokeStyle = "#fff";
    ctx.lineWidth = 1.5;
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(cx, cy - r * 0.55);
    ctx.lineTo(cx, cy + r * 0.12);
    ctx.moveTo(cx, cy + r * 0.5);
    ctx.lineTo(cx, cy + r * 0.52);
    ctx.lineCap = "round";
    ctx.lineWidth = Math.max(1.4, r * 0.36);
    ctx.stroke();
  }

  function dash(symbol, width) {
    return (style().dashes[symbol.shape] || []).map((one) => one * Math.max(1, width));
  }

  // Markers are drawn once per symbol, size and screen density, then copied.
  const sprites = new Map();
  function sprite(symbol, size, isDue, ratio) {
    const key = `${symbol.shape}${symbol.color}${size}${isDue}${ratio}`;
    if (!sprites.has(key)) {
      const side = Math.ceil(size * 1.7 + 8);
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = Math.ceil(side * ratio);
      const ctx = canvas.getContext("2d");
      ctx.scale(ratio, ratio);
      marker(ctx, symbol, side / 2, side / 2, size);
      if (isDue) dueMark(ctx, side / 2, side / 2, size);
      sprites.set(key, { canvas, side });
    }
    return sprites.get(key);
  }

  // How much larger names and markers are than at a desk: a room reads from metres away.
  let reading = 1;

  const markerSize = (symbol, zoom) => Math.round(symbol.size * scaled(style().scales.marker, zoom) * reading * 2) / 2;

  // The font of a name on the map, `size` in pixels at a desk.
  const font = (size, weight = 400) => `${weight} ${Math.round(size * reading)}px ${style().font}`;

  function drawSprite(ctx, symbol, x, y, zoom, isDue) {
    const { canvas, side } = sprite(symbol, markerSize(symbol, zoom), isDue, Math.max(2, window.devicePixelRatio || 1));
    ctx.drawImage(canvas, x - side / 2, y - side / 2, side, side);
  }

  const isPoint = (layer) => layer.geometry === "Point";
  const isLine = (layer) => layer.geometry === "MultiLineString";
  const isArea = (layer) => layer.geometry === "MultiPolygon";

  // Line width on the map: roads and water grow with the zoom as the ground does, borders hardly.
  function lineWidth(layer, symbol, zoom) {
    const scales = style().scales;
    return symbol.size * scaled(isLine(layer) ? scales.line : scales.border, zoom);
  }

  const isDark = (color) => {
    const n = parseInt(color.slice(1), 16);
    return 0.299 * (n >> 16) + 0.587 * ((n >> 8) & 255) + 0.114 * (n & 255) < 140;
  };

  // The colour mixed with black until it can be read on white.
  function darker(color) {
    const n = parseInt(color.slice(1), 16);
    let rgb = [n >> 16, (n >> 8) & 255, n & 255];
    while (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 95) rgb = rgb.map((one) => one * 0.9);
    return `rgb(${rgb.map(Math.round).join(",")})`;
  }

  function strokeLine(ctx, symbol, width) {
    ctx.setLineDash(dash(symbol, width));
    ctx.strokeStyle = symbol.color;
    ctx.lineWidth = symbol.shape === "double" ? width * 1.6 + 1.5 : width;
    ctx.stroke();
    ctx.setLineDash([]);
    if (symbol.shape === "double") {
      ctx.strokeStyle = style().land;
      ctx.lineWidth = Math.max(0.8, width * 0.7);
      ctx.stroke();
    }
  }

  // The legend's picture of one symbol, as an element.
  function swatch(layer, symbol, { width = 34, height = 24 } = {}) {
    const ratio = Math.max(2, window.devicePixelRatio || 1);
    const canvas = G.h("canvas", { class: "gm-swatch", "aria-hidden": "true" });
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const ctx = canvas.getContext("2d");
    ctx.scale(ratio, ratio);
    if (isPoint(layer)) {
      marker(ctx, symbol, width / 2, height / 2, Math.min(18, Math.max(13, symbol.size * 1.15)));
    } else if (isLine(layer)) {
      ctx.beginPath();
      ctx.moveTo(3, height / 2);
      ctx.lineTo(width - 3, height / 2);
      ctx.lineCap = "round";
      strokeLine(ctx, symbol, Math.min(5, Math.max(2, symbol.size * 1.2)));
    } else {
      ctx.beginPath();
      ctx.roundRect(4, 4, width - 8, height - 8, 2);
      ctx.globalAlpha = Math.max(0.06, symbol.fill_opacity);
      ctx.fillStyle = symbol.color;
      ctx.fill();
      ctx.globalAlpha = 1;
      strokeLine(ctx, symbol, Math.max(1.6, symbol.size));
    }
    return canvas;
  }

  // All cases of a layer, for its legend: [symbol, words], most general last.
  function cases(layer) {
    if (!layer.symbol_by || !Object.keys(layer.symbols).length) return [];
    const all = Object.entries(layer.symbols).map(([value, symbol]) => [layer.symbol_by, value, symbol]);
    all.push(...(layer.symbol_exceptions || []).map((one) => [one.field, one.value, one.symbol]));
    return all.map(([field, value, symbol]) => [symbol, symbol.title || G.valueText(layer, field, value)]);
  }

  G.symbols = {
    // True when what is drawn has to be drawn again.
    setReading(next) {
      const isOther = next !== reading;
      reading = next;
      return isOther;
    },
    font, scaled, symbolFor, marker, dueMark, markerSize, drawSprite, lineWidth, strokeLine, swatch, cases, isPoint, isLine, isArea, isDark, darker,
  };
})(window.Gridmap);
