// Two people changed the same element: what it was, what each made of it, and a choice. Nothing is written before it.
"use strict";
(function (G) {
  const names = (layer) => ["code", "name", ...layer.fields.map((one) => one.name)];
  const valueOf = (feature, name) => (feature ? (name === "geometry" ? feature.geometry : feature.properties[name] ?? null) : null);

  /*
   * Field by field: {name, base, mine, theirs, isContested}. A field is listed when either side changed it;
   * contested when both did, to different values.
   */
  function compare(layer, base, mine, theirs) {
    const rows = [];
    for (const name of [...names(layer), "geometry"]) {
      const before = valueOf(base, name);
      const after = valueOf(theirs, name);
      const isMine = name in mine && !G.same(mine[name], before);
      const isTheirs = !G.same(after, before);
      if (!isMine && !isTheirs) continue;
      const isContested = isMine && isTheirs && !G.same(mine[name], after);
      rows.push({ name, base: before, mine: isMine ? mine[name] : before, theirs: after, isMine, isTheirs, isContested });
    }
    return rows;
  }

  const mineOf = (op) => ({ ...(op.body.properties || {}), ...(op.body.geometry ? { geometry: op.body.geometry } : {}) });

  function cell(layer, name, value, other) {
    if (name !== "geometry") return G.valueText(layer, name, value) || "(空)";
    if (!value) return "(无)";
    return other ? geometryWords(value, other) : "原位置";
  }

  function geometryWords(value, base) {
    if (G.same(value, base)) return "未改动";
    if (value.type === "Point" && base.type === "Point") {
      const [a, b] = [value, base].map((one) => L.latLng(one.coordinates[1], one.coordinates[0]));
      return `移动了 ${Math.round(G.app.map.distance(a, b))} 米`;
    }
    return "改了形状";
  }

  // The three states of a geometry on a small board: grey before, blue mine, orange theirs.
  function picture(base, mine, theirs) {
    const canvas = G.h("canvas", { class: "gm-conflict-map", role: "img", "aria-label": "位置对比:灰色虚线为原来,蓝色为我的,橙色为对方的" });
    const [width, height] = [420, 180];
    canvas.width = width * 2;
    canvas.height = height * 2;
    const ctx = canvas.getContext("2d");
    ctx.scale(2, 2);
    const all = [base, mine, theirs].filter(Boolean);
    const bounds = L.featureGroup(all.map((one) => L.geoJSON(one))).getBounds();
    const project = (lat, lon) => L.CRS.EPSG3857.latLngToPoint(L.latLng(lat, lon), 20);
    const [nw, se] = [project(bounds.getNorth(), bounds.getWest()), project(bounds.getSouth(), bounds.getEast())];
    const scale = Math.min((width - 60) / Math.max(1, se.x - nw.x), (height - 60) / Math.max(1, se.y - nw.y), 1);
    const middle = nw.add(se).divideBy(2);
    const spot = ([lon, lat]) => project(lat, lon).subtract(middle).multiplyBy(scale).add([width / 2, height / 2]);
    const draw = (geometry, color, dash, mark) => {
      if (!geometry) return;
      ctx.strokeStyle = ctx.fillStyle = color;
      ctx.lineWidth = 2.5;
      ctx.setLineDash(dash);
      const parts = { Point: (c) => [[c]], LineString: (c) => [c], MultiLineString: (c) => c, Polygon: (c) => c, MultiPolygon: (c) => c.flat() }[geometry.type](geometry.coordinates);
      for (const part of parts) {
        const points = part.map(spot);
        ctx.beginPath();
        points.forEach((p, i) => (i ? ctx.lineTo(p.x, p.y) : ctx.moveTo(p.x, p.y)));
        if (points.length > 1) ctx.stroke();
        else mark(ctx, points[0]);
      }
    };
    const ring = (c, p) => (c.beginPath(), c.arc(p.x, p.y, 8, 0, 7), c.stroke());
    const square = (c, p) => c.fillRect(p.x - 6, p.y - 6, 12, 12);
    const circle = (c, p) => (c.beginPath(), c.arc(p.x, p.y, 7, 0, 7), c.fill());
    draw(base, "#6b7482", [4, 4], ring);
    draw(theirs, "#b04a00", [], square);
    draw(mine, "#1f4e9d", [], circle);
    return G.h("figure", { class: "gm-conflict-figure" }, canvas, G.h("figcaption", { text: "灰色虚线:原来;蓝色圆点或线:我的;橙色方块或线:对方的" }));
  }

  // Every value that was typed into the dialog follows the field's rules; a fault is shown at the field.
  function areSound(picks, others) {
    let isSound = true;
    for (const [name, other] of others) {
      const { fault } = picks[name] === "other" ? other.read() : {};
      other.tell(fault || "");
      if (fault) isSound = false;
    }
    return isSound;
  }

  const LOOKS = { base: ["#6b7482", "6 5"], theirs: ["#b04a00", null], mine: ["#1f4e9d", null] };

  // The three states on the map itself; the dialog steps aside.
  function showOnMap(place) {
    const { map } = G.app;
    const group = L.featureGroup([], { pmIgnore: true });
    for (const side of ["base", "theirs", "mine"]) {
      const shape = side === "base" ? place.base : place[side === "mine" ? "isMine" : "isTheirs"] ? place[side] : null;
      if (!shape) continue;
      const [color, dashArray] = LOOKS[side];
      const look = { color, dashArray, weight: 4, fillOpacity: 0.08, interactive: false, pmIgnore: true, pane: "gm-outline" };
      L.geoJSON(shape, { ...look, style: look, pointToLayer: (_, at) => L.circleMarker(at, { ...look, radius: side === "base" ? 12 : 9, fillOpacity: side === "base" ? 0 : 0.9 }) }).addTo(group);
    }
    group.addTo(map);
    if (!map.getBounds().contains(group.getBounds())) map.fitBounds(group.getBounds().pad(0.3), { maxZoom: 17, animate: false });
    return group;
  }

  function table(layer, rows, base, who, others) {
    const hasOther = others && rows.some((row) => row.isContested && row.name !== "geometry");
    const head = G.h("tr", {}, ["字段", "原来", "我的", `${who} 的`, hasOther && "另填"].filter(Boolean).map((text) => G.h("th", { scope: "col", text })));
    const another = (row) => {
      if (!row.isContested || row.name === "geometry") return G.h("td");
      const other = G.form.single(layer, row.name, row.mine, `${G.fieldTitle(layer, row.name)}另填`);
      others.set(row.name, other);
      return G.h("td", {}, G.h("label", { class: "gm-pick" },
        G.h("input", { type: "radio", name: `pick-${row.name}`, value: "other", "aria-label": `${G.fieldTitle(layer, row.name)}用另填的值` }), other.element));
    };
    const body = rows.map((row) => {
      const baseGeometry = base ? base.geometry : null;
      const words = (side) => cell(layer, row.name, row[side], row.name === "geometry" && side !== "base" ? baseGeometry : null);
      const pick = (side) =>
        row.isContested
          ? G.h("label", { class: "gm-pick" },
              G.h("input", { type: "radio", name: `pick-${row.name}`, value: side, checked: side === "mine" }),
              G.h("span", { text: words(side) }))
          : G.h("span", { class: (side === "mine" ? row.isMine : row.isTheirs) ? "gm-changed" : "gm-unchanged", text: words(side) });
      return G.h("tr", { class: row.isContested ? "gm-contested" : "" },
        G.h("th", { scope: "row" }, G.fieldTitle(layer, row.name), row.isContested && G.h("span", { class: "gm-badge gm-badge-warn", text: "冲突" })),
        G.h("td", { text: words("base") }), G.h("td", {}, pick("mine")), G.h("td", {}, pick("theirs")), hasOther && another(row));
    });
    return G.h("div", { class: "gm-scroll", tabindex: "0" }, G.h("table", { class: "gm-table" }, G.h("thead", {}, head), G.h("tbody", {}, body)));
  }

  const whoWhen = (problem) => {
    const theirs = problem.body.theirs;
    const who = problem.body.updated_by_name || "他人";
    const when = problem.body.updated_at || (theirs && theirs.properties.updated_at);
    return { who, when: G.timeText(when) };
  };

  async function resolvePatch(op, problem) {
    const layer = G.app.layers[op.layer];
    const { theirs } = problem.body;
    const base = problem.body.base || op.base;
    const { who, when } = whoWhen(problem);
    const mine = mineOf(op);
    const rows = compare(layer, base, mine, theirs);
    const contested = rows.filter((one) => one.isContested);
    const place = rows.find((one) => one.name === "geometry");
    const picks = {};
    const others = new Map();
    const overlay = place && showOnMap(place);
    const answer = await G.dialogs.ask({
      title: "编辑冲突:请选择保留哪一方",
      kind: place ? "side" : "wide",
      content: [
        G.h("p", {}, G.h("strong", { text: who }), ` 于 ${when} 保存了“${base ? G.titleOf(base) : op.title}”的新版本(第 ${theirs.properties.revision} 版)。您的修改尚未保存。`),
        contested.length
          ? G.h("p", { text: `有 ${contested.length} 处双方都改了,请逐项选择${contested.some((one) => one.name !== "geometry") ? ",也可以另填一个值" : ""}。其余改动互不影响,会一并保留。` })
          : G.h("p", { text: "双方改的是不同内容,选择“保留我的”会把两边的改动都保留下来。" }),
        table(layer, rows, base, who, others),
        place && picture(place.base, place.isMine ? place.mine : null, place.isTheirs ? place.theirs : null),
      ],
      buttons: [
        { title: "取消,继续编辑", value: "cancel" },
        { title: "用他们的", value: "theirs" },
        { title: contested.length ? "保留我的(按所选保存)" : "保留我的", value: "mine", kind: "primary", check: () => areSound(picks, others) },
      ],
      onOpen: (dialog) => {
        for (const [name, other] of others) {
          // Whoever types means it.
          other.element.addEventListener("input", () => {
            dialog.querySelector(`input[name="pick-${name}"][value="other"]`).checked = true;
            picks[name] = "other";
          });
        }
        const read = () => dialog.querySelectorAll("input[type=radio]:checked").forEach((one) => (picks[one.name.slice(5)] = one.value));
        dialog.addEventListener("change", read);
        read();
      },
    });
    if (overlay) overlay.remove();
    if (answer === "theirs") return { what: "theirs" };
    if (answer !== "mine") return { what: "cancel" };
    const kept = Object.entries(mine)
      .filter(([name]) => picks[name] !== "theirs")
      .map(([name, value]) => [name, picks[name] === "other" ? others.get(name).read().value ?? null : value]);
    if (!kept.length) return { what: "theirs" };
    const { geometry, ...properties } = Object.fromEntries(kept);
    const body = { ...(Object.keys(properties).length ? { properties } : {}), ...(geometry ? { geometry } : {}) };
    return { what: "mine", change: { body, etag: problem.body.etag || `"${theirs.properties.revision}"`, base: theirs } };
  }

  // Somebody deleted what I was changing.
  async function resolveGone(op, problem) {
    const answer = await G.dialogs.ask({
      title: "该要素已被删除",
      content: [
        G.h("p", { text: `${problem.message}${problem.body.updated_at ? `(${G.timeText(problem.body.updated_at)})` : ""}` }),
        G.h("p", { text: "您可以先恢复它,再保存您的修改;也可以放弃修改。" }),
      ],
      buttons: [
        { title: "取消,继续编辑", value: "cancel" },
        { title: "放弃我的修改", value: "theirs" },
        { title: "恢复并保存我的", value: "mine", kind: "primary" },
      ],
    });
    if (answer !== "mine") return { what: answer === "theirs" ? "theirs" : "cancel" };
    try {
      const restored = await G.api.act(op.layer, op.element, "restore", { json: {} });
      return { what: "mine", change: { etag: restored.etag, base: restored.feature } };
    } catch (error) {
      G.toast(error.message, { kind: "bad" });
      return { what: "cancel" };
    }
  }

  // I act on the whole element (delete, verify, undo, restore) and it has moved on.
  async function resolveWhole(op, problem) {
    const words = { delete: "仍然删除", verify: "仍然核实" }[op.kind] || "";
    const { who, when } = whoWhen(problem);
    const theirs = problem.body.theirs;
    const layer = G.app.layers[op.layer];
    const rows = theirs && op.base ? compare(layer, op.base, {}, theirs) : [];
    const answer = await G.dialogs.ask({
      title: "该要素已被他人修改",
      kind: rows.length ? "wide" : "plain",
      content: [
        G.h("p", {}, G.h("strong", { text: who }), ` 于 ${when} 保存了新版本。请看过对方的改动后再决定。`),
        rows.length > 0 && table(layer, rows, op.base, who),
      ],
      buttons: [
        // A border that was drawn is kept to be looked at; single acts have nothing to keep.
        { title: op.kind === "grid" ? "取消,继续编辑" : "取消", value: op.kind === "grid" ? "cancel" : "theirs" },
        op.kind === "grid" && { title: "用他们的", value: "theirs" },
        ...(words ? [{ title: words, value: "mine", kind: op.kind === "delete" ? "danger" : "primary" }] : []),
      ].filter(Boolean),
    });
    if (answer === "cancel") return { what: "cancel" };
    if (answer !== "mine") return { what: "theirs" };
    return { what: "mine", change: { etag: problem.body.etag || `"${theirs.properties.revision}"`, base: theirs } };
  }

  G.conflict = {
    compare,
    resolve(op, problem) {
      if (op.kind === "patch" && problem.body.is_deleted) return resolveGone(op, problem);
      return op.kind === "patch" && problem.body.theirs ? resolvePatch(op, problem) : resolveWhole(op, problem);
    },
  };
})(window.Gridmap);
