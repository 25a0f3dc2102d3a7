// How coverage looks on the map: told apart by shape and by colour, so that neither alone has to carry it.
"use strict";
(function (G) {
  const NS = "http://www.w3.org/2000/svg";

  // --- grids by covered share: ordered from light to dark, and written out where there is room ----------------------
  const STEPS = [
    { upto: 0.2, color: "#fdf1d3", title: "不足 20%" },
    { upto: 0.4, color: "#d8e3ad", title: "20%–40%" },
    { upto: 0.6, color: "#98c998", title: "40%–60%" },
    { upto: 0.8, color: "#4f9f82", title: "60%–80%" },
    { upto: Infinity, color: "#1d675d", title: "80% 以上" },
  ];
  const UNKNOWN = { color: "#c9ced6", title: "无人口或不显示" };
  const step = (share) => (share === null || share === undefined ? UNKNOWN : STEPS.find((one) => share < one.upto) || STEPS[STEPS.length - 1]);

  // --- reach bands: the nearer, the darker and the more solid ---------------------------------------------------------
  const BANDS = [
    { color: "#0b3d91", dash: null, weight: 3, fill: 0.22 },
    { color: "#1f6fb5", dash: "10 5", weight: 2.5, fill: 0.14 },
    { color: "#3a6f8f", dash: "3 5", weight: 2.5, fill: 0.08 },
  ];
  const GAP = { color: "#a3161b", dash: "6 4", weight: 2, hatch: "#a3161b" };
  const AREA = { color: "#5b2a86", dash: "14 5 2 5", weight: 2.5 };

  // --- a canvas that can hatch ---------------------------------------------------------------------------------------------
  const patterns = {};
  function pattern(ctx, color) {
    if (!patterns[color]) {
      const board = document.createElement("canvas");
      board.width = board.height = 12;
      const pen = board.getContext("2d");
      pen.strokeStyle = color;
      pen.lineWidth = 1.4;
      pen.beginPath();
      for (const shift of [-12, 0, 12]) {
        pen.moveTo(shift - 1, 13);
        pen.lineTo(shift + 13, -1);
      }
      pen.stroke();
      patterns[color] = ctx.createPattern(board, "repeat");
    }
    return patterns[color];
  }

  const Hatching = L.Canvas.extend({
    _fillStroke(ctx, layer) {
      const { hatch } = layer.options;
      if (hatch) {
        ctx.globalAlpha = 0.1;
        ctx.fillStyle = hatch;
        ctx.fill("evenodd");
        ctx.globalAlpha = 0.5;
        ctx.fillStyle = pattern(ctx, hatch);
        ctx.fill("evenodd");
      }
      L.Canvas.prototype._fillStroke.call(this, ctx, layer);
    },
  });
  const canvas = (pane) => new Hatching({ pane, padding: 0.3 });

  // --- small drawings for the legend and for points --------------------------------------------------------------------
  function svg(width, height, ...parts) {
    const el = document.createElementNS(NS, "svg");
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", class: "gm-swatch" })) el.setAttribute(name, value);
    for (const [tag, attributes] of parts) {
      const part = document.createElementNS(NS, tag);
      for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) part.setAttribute(name, value);
      el.append(part);
    }
    return el;
  }

  const box = (fill, more = {}) => svg(26, 18, ["rect", { x: 1.5, y: 1.5, width: 23, height: 15, fill, stroke: "#5c6675", ...more }]);
  const stepKey = (one) => box(one.color);
  const bandKey = (one) => svg(26, 18, ["rect", { x: 2, y: 2, width: 22, height: 14, fill: one.color, "fill-opacity": one.fill, stroke: one.color, "stroke-width": one.weight, "stroke-dasharray": one.dash }]);
  const gapKey = () => svg(26, 18,
    ["rect", { x: 1.5, y: 1.5, width: 23, height: 15, fill: "#a3161b", "fill-opacity": 0.14 }],
    ["path", { d: "M3 16L17 2M11 16L24 3M1 9L8 2M19 16l5-5", stroke: GAP.color, "stroke-width": 1.5 }],
    ["rect", { x: 1.5, y: 1.5, width: 23, height: 15, fill: "none", stroke: GAP.color, "stroke-width": 2, "stroke-dasharray": GAP.dash }]);
  const areaKey = () => svg(26, 18, ["path", { d: "M2 14L9 4l8 6 7-7", fill: "none", stroke: AREA.color, "stroke-width": AREA.weight, "stroke-dasharray": AREA.dash }]);

  // Each state of a point has a sign of its own inside a shape of its own.
  const SHIELD = "M12 2l8.500 3v6.500c0 5-3.500 8.500-8.500 10.500-5-2-8.500-5.500-8.500-10.500V5z";
  const DIAMOND = "M12 1.500L22.500 12 12 22.500 1.500 12z";
  const STAR = "M12 1.500l3.100 6.600 7.200.900-5.300 5 1.400 7.200-6.400-3.600-6.400 3.600L7 14 1.700 9l7.200-.900z";
  const STATES = {
    open: { title: "站点", shape: SHIELD, fill: "#1f4e9d", sign: null },
    closed: { title: "未开放或裁撤", shape: SHIELD, fill: "#6b7482", sign: "M8 8l8 8M16 8l-8 8" },
    off_network: { title: "离道路过远,不计入", shape: "M12 2l10.500 19h-21z", fill: "#8a4500", sign: "M12 9v6M12 18v.5" },
    moved: { title: "移动后的站点", shape: DIAMOND, fill: "#6a3fa0", sign: "M8 15l7-7M10 8h5v5" },
    added: { title: "新增站点", shape: DIAMOND, fill: "#0f6131", sign: "M12 7v10M7 12h10" },
    chosen: { title: "选出的新址", shape: STAR, fill: "#0f6131", sign: null },
    candidate: { title: "比较中的候选点", shape: "M4 4h16v16H4z", fill: "#8a4500", sign: "M12 8v8M8 12h8" },
  };

  function pointMark(state, size = 30) {
    const { shape, fill, sign } = STATES[state];
    const parts = [["path", { d: shape, fill, stroke: "#fff", "stroke-width": 1.8, "stroke-linejoin": "round" }]];
    if (sign) parts.push(["path", { d: sign, fill: "none", stroke: "#fff", "stroke-width": 2.4, "stroke-linecap": "round" }]);
    const el = svg(24, 24, ...parts);
    el.setAttribute("width", size);
    el.setAttribute("height", size);
    return el;
  }

  // A finger needs 40 pixels, whatever the sign measures.
  const pointIcon = (state, isHeld) => L.divIcon({ className: `gm-cover-point${isHeld ? " gm-cover-held" : ""}`, html: pointMark(state, isHeld ? 36 : 28), iconSize: [40, 40] });

  G.marks = { STEPS, UNKNOWN, BANDS, GAP, AREA, STATES, step, canvas, stepKey, bandKey, gapKey, areaKey, pointMark, pointIcon };
})(window.Gridmap);
