// Grids edited as a partition: borders that move on both sides, splitting, merging, re-numbering, taking back.
"use strict";
(function (G) {
  const NEW = { color: "#b04a00", weight: 3, dashArray: "8 4", ring: 24 };
  let ghost = null;
  let asked = 0;

  // --- what would happen, on the map ---------------------------------------------------------------------------
  function clearGhost() {
    asked += 1;
    if (ghost) ghost.remove();
    ghost = null;
  }

  // Outlines of grids, each with its code or a number; nothing on them takes the pointer.
  function showGhost(features, look, labels = null) {
    if (ghost) ghost.remove();
    const items = features.map((one, i) => {
      const label = labels ? labels[i] : one.properties.name || one.properties.code;
      const place = L.geoJSON(one.geometry).getBounds().getCenter();
      const tag = L.marker(place, { interactive: false, keyboard: false, pmIgnore: true, snapIgnore: true, pane: "gm-outline", icon: L.divIcon({ className: "gm-grid-tag", html: G.h("span", { text: label }), iconSize: null }) });
      return L.layerGroup([G.select.shapeLayer(one.geometry, look), tag], { pmIgnore: true });
    });
    ghost = L.layerGroup(items, { pmIgnore: true }).addTo(G.app.map);
  }

  const namesOf = (features) => features.map((one) => one.properties.name || one.properties.code).join("、");

  /*
   * Ask the server what an edit would do; the newest question wins. `say(text, isBad)` tells the outcome.
   */
  async function tryOut(layer, what, order, { say, show }) {
    const mine = ++asked;
    say("正在推算相邻网格…", false);
    try {
      const trial = await G.api.grid(layer.id, what, { ...order, dry_run: true });
      if (mine !== asked) return null;
      show(trial);
      return trial;
    } catch (error) {
      if (mine !== asked) return null;
      if (ghost) ghost.remove();
      ghost = null;
      say(error.message, true);
      return null;
    }
  }

  function note() {
    const element = G.h("p", { class: "gm-bar-note", role: "status" });
    return {
      element,
      say(text, isBad) {
        element.textContent = text;
        element.classList.toggle("gm-fault", isBad);
      },
    };
  }

  // --- one at a time ------------------------------------------------------------------------------------------------
  const blocked = () => {
    if (G.edit.isBusy()) return G.edit.remind() || true;
    if (G.past.at) return G.past.refuse() || true;
    return false;
  };

  const operation = (layer, what, order, { element, etag, base, title }) =>
    G.pending.operation("grid", layer.id, { element, etag, base, body: { what, order }, title });

  function tools(current, tool) {
    return [
      tool("shape", "改边界", () => border(current)),
      tool("split", "拆分", () => split(current)),
      tool("merge", "合并", () => merge(current)),
      tool("number", "重新编号", () => renumber(current)),
    ];
  }

  // --- borders --------------------------------------------------------------------------------------------------------
  function border(current, draft = null) {
    if (blocked()) return;
    const base = draft ? draft.base : current.feature;
    const layer = draft ? G.app.layers[draft.layer] : current.layer;
    const kept = draft || {
      id: `border:${layer.id}:${base.id}`, what: "border", layer: layer.id, element: base.id, base,
      etag: current.etag, title: `调整边界 ${layer.title} ${G.titleOf(base)}`,
    };
    const order = (geometry) => ({ id: base.id, geometry, base_revision: G.api.revisionOf(kept.etag) });
    const status = note();
    G.tiles.hide(base.id);
    G.select.clearOutline();
    const bar = G.shape.bar({
      text: `拖动“${G.titleOf(base)}”的顶点,相邻网格会跟着变`,
      note: status.element,
      coordinates: { kind: layer.geometry, read: () => handle.geometry(), write: (next) => handle.setGeometry(next) },
      onSave: save,
      onCancel: () => G.edit.giveUp(),
    });
    const preview = G.debounce((geometry) =>
      tryOut(layer, "border", order(geometry), {
        say: status.say,
        show(trial) {
          const others = trial.changed.filter((one) => one.id !== base.id);
          showGhost(others, NEW);
          status.say([others.length ? `跟着变的网格:${namesOf(others)}` : "相邻网格没有变化", ...trial.warnings].join(";"), false);
        },
      }), 150);
    const handle = G.shape.edit(layer, base.geometry, {
      id: base.id, props: base.properties,
      onChange(geometry) {
        G.drafts.put({ ...kept, geometry });
        preview(geometry);
      },
    });
    G.edit.begin({
      draft: kept, layer, base, isTouched: handle.isChanged,
      close() {
        preview.cancel();
        clearGhost();
        handle.stop();
        bar.close();
        G.tiles.unhide(base.id);
      },
    });
    document.querySelectorAll("#gm-right .gm-panel-foot").forEach((one) => one.remove());
    if (draft && draft.geometry) handle.setGeometry(draft.geometry);

    async function save() {
      if (!handle.isChanged()) {
        G.edit.end();
        G.select.reload();
        return G.toast("没有改动,未产生新版本。", { kind: "warn" });
      }
      preview.cancel();
      const button = document.querySelector("#gm-bar .gm-button-primary");
      button.disabled = true;
      const op = operation(layer, "border", order(handle.geometry()), { element: base.id, etag: kept.etag, base, title: kept.title });
      const answer = await G.edit.sendShowing(op, null);
      button.disabled = false;
      if (!answer.cancelled) leave(layer, base.id, answer);
    }
  }

  // After an edit the grid it began with is shown again, where there still is one.
  function leave(layer, id, answer) {
    G.edit.end();
    const { receipt } = answer;
    const isGone = receipt && receipt.retired.some((one) => one.id === id);
    const successor = isGone && (receipt.created[0] || receipt.changed.find((one) => one.id !== id));
    if (answer.queued) G.select.close();
    else G.select.open(layer.id, successor ? successor.id : id);
  }

  // --- splitting --------------------------------------------------------------------------------------------------------
  async function split(current) {
    if (blocked()) return;
    const { layer, feature: base } = current;
    const bar = G.shape.bar({
      text: `画一条线拆分“${G.titleOf(base)}”:线的两端要到边界之外,双击结束`,
      coordinates: { kind: "MultiLineString", read: () => null, write: G.shape.supply },
      onCancel: () => G.shape.stop(),
    });
    const placeholder = { draft: { id: "drawing" }, layer, base, isTouched: () => false, close: () => bar.close() };
    G.edit.begin(placeholder);
    const drawn = await G.shape.draw(layer, "MultiLineString");
    if (G.edit.work === placeholder) G.edit.end({ keepDraft: true });
    if (!drawn) {
      G.select.reload();
      return;
    }
    const line = { type: "LineString", coordinates: drawn.type === "LineString" ? drawn.coordinates : drawn.coordinates[0] };
    const kept = {
      id: `split:${layer.id}:${base.id}`, what: "split", layer: layer.id, element: base.id, base, line, names: [],
      etag: current.etag, title: `拆分 ${layer.title} ${G.titleOf(base)}`,
    };
    G.drafts.put(kept);
    splitForm(kept);
  }

  async function splitForm(kept) {
    const layer = G.app.layers[kept.layer];
    const { base } = kept;
    const order = { id: base.id, geometry: kept.line, base_revision: G.api.revisionOf(kept.etag) };
    let trial;
    try {
      trial = await G.api.grid(layer.id, "split", { ...order, dry_run: true });
    } catch (error) {
      G.drafts.drop(kept.id);
      G.toast(error.message, { kind: "bad" });
      return;
    }
    const parts = trial.created;
    if (!parts.length) {
      G.drafts.drop(kept.id);
      G.toast("这条线没有把网格分成几块,请从边界之外画到边界之外。", { kind: "warn" });
      return;
    }
    showGhost(parts, NEW, parts.map((_, i) => `第 ${i + 1} 块`));
    const inputs = parts.map((one, i) => G.h("input", { class: "gm-input", type: "text", maxlength: "100", id: `gm-part-${i}`, value: kept.names[i] ?? one.properties.name }));
    const names = () => inputs.map((one) => one.value.trim());
    inputs.forEach((one) => one.addEventListener("input", () => G.drafts.put({ ...kept, names: names() })));
    const save = G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "拆分", on: { click: run } });
    const counts = (one) => layer.fields.filter((f) => f.class === "count" && one.properties[f.name] !== null).map((f) => `${f.title} ${one.properties[f.name]}`).join(",");
    G.details.show({
      title: `拆分:${G.titleOf(base)}`, subtitle: layer.title,
      body: [
        G.presence.slot(base.id),
        G.h("p", { class: "gm-note-plain", text: `编码 ${base.properties.code} 停用,不再使用;下列编码为新编。` }),
        G.h("div", { class: "gm-form" }, parts.map((one, i) => G.h("div", { class: "gm-form-row" },
          G.h("label", { class: "gm-label", for: `gm-part-${i}`, text: `第 ${i + 1} 块的名称(编码 ${one.properties.code})` }), inputs[i],
          counts(one) && G.h("p", { class: "gm-hint", text: counts(one) })))),
        trial.warnings.map((text) => G.h("p", { class: "gm-note" }, G.icon("warn", 18), G.h("span", { text }))),
      ],
      footer: G.h("div", { class: "gm-actions" }, save, G.h("button", { class: "gm-button", type: "button", text: "取消", on: { click: () => G.edit.giveUp() } })),
      onClose: () => G.edit.giveUp(), label: "拆分网格",
    });
    G.edit.begin({
      draft: kept, layer, base, form: true, isTouched: () => true,
      close() {
        clearGhost();
        G.details.close();
      },
    });
    inputs[0].focus();

    async function run() {
      save.disabled = true;
      const op = operation(layer, "split", { ...order, names: names() }, { element: base.id, etag: kept.etag, base, title: kept.title });
      const answer = await G.edit.sendShowing(op, null);
      save.disabled = false;
      if (!answer.cancelled) leave(layer, base.id, answer);
    }
  }

  // --- merging -----------------------------------------------------------------------------------------------------------
  async function merge(current) {
    if (blocked()) return;
    const { layer, feature: base } = current;
    let around;
    try {
      around = (await G.api.neighbours(layer.id, base.id)).features;
    } catch (error) {
      return G.toast(error.message, { kind: "bad" });
    }
    if (!around.length) return G.toast("旁边没有同一上级的网格可以合并。", { kind: "warn" });
    const status = note();
    const boxes = new Map(around.map((one) => [one.id, G.h("input", { type: "checkbox", value: one.id })]));
    const keep = G.h("select", { class: "gm-input", id: "gm-merge-code" });
    const name = G.h("input", { class: "gm-input", type: "text", maxlength: "100", id: "gm-merge-name", value: base.properties.name || "" });
    const save = G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "合并", disabled: true, on: { click: run } });
    const chosen = () => [base, ...around.filter((one) => boxes.get(one.id).checked)];
    const order = () => ({
      ids: chosen().map((one) => one.id),
      base_revisions: Object.fromEntries(chosen().map((one) => [one.id, one.properties.revision])),
      into: keep.value || null, name: name.value.trim(),
    });
    const codes = () => {
      const now = keep.options.length ? keep.value : base.id;
      G.replace(keep, chosen().map((one) => G.h("option", { value: one.id, text: `保留 ${one.properties.code}` })), G.h("option", { value: "", text: "使用新编码" }));
      if ([...keep.options].some((one) => one.value === now)) keep.value = now;
    };
    async function look() {
      codes();
      const some = chosen().length > 1;
      save.disabled = !some;
      if (!some) {
        clearGhost();
        G.select.drawOutline(base.geometry);
        return status.say("请选择至少一个相邻网格。", false);
      }
      await tryOut(layer, "merge", order(), {
        say(text, isBad) {
          if (isBad) save.disabled = true;
          status.say(text, isBad);
        },
        show(trial) {
          const whole = trial.created[0] || trial.changed.find((one) => one.id === keep.value);
          showGhost([whole].filter(Boolean), NEW);
          status.say([`停用的编码:${trial.retired.map((one) => one.properties.code).join("、")}`, ...trial.warnings].join(";"), false);
        },
      });
    }
    codes();
    for (const box of boxes.values()) box.addEventListener("change", look);
    keep.addEventListener("change", look);
    G.details.show({
      title: `合并:${G.titleOf(base)}`, subtitle: layer.title,
      body: [
        G.presence.slot(base.id),
        G.h("p", { class: "gm-note-plain", text: "选择要与它合并的相邻网格,可在图上点选。" }),
        G.h("ul", { class: "gm-list" }, around.map((one) => G.h("li", {}, G.h("label", { class: "gm-check", on: { mouseenter: () => G.select.drawOutline(one.geometry) } }, boxes.get(one.id), G.h("span", { text: `${one.properties.name || ""} ${one.properties.code}` }))))),
        G.h("label", { class: "gm-label", for: "gm-merge-code", text: "合并后的编码" }), keep,
        G.h("label", { class: "gm-label", for: "gm-merge-name", text: "合并后的名称" }), name,
        status.element,
      ],
      footer: G.h("div", { class: "gm-actions" }, save, G.h("button", { class: "gm-button", type: "button", text: "取消", on: { click: () => G.edit.giveUp() } })),
      onClose: () => G.edit.giveUp(), label: "合并网格",
    });
    G.edit.begin({
      draft: { id: `merge:${layer.id}:${base.id}` }, layer, base, form: true, isTouched: () => false,
      async onClick(event) {
        try {
          const hit = await G.api.identify(event.latlng.lng, event.latlng.lat, 0, [layer.id]);
          const box = boxes.get((hit.features[0] || {}).id);
          if (!box) return;
          box.checked = !box.checked;
          look();
        } catch {
          // The list works without the map.
        }
      },
      close() {
        clearGhost();
        G.select.clearOutline();
        G.details.close();
      },
    });
    boxes.values().next().value.focus();

    async function run() {
      save.disabled = true;
      const op = operation(layer, "merge", order(), { element: base.id, etag: current.etag, base, title: `合并 ${layer.title} ${namesOf(chosen())}` });
      const answer = await G.edit.sendShowing(op, null);
      save.disabled = false;
      if (!answer.cancelled) leave(layer, base.id, answer);
    }
  }

  // --- numbers ------------------------------------------------------------------------------------------------------------
  async function renumber(current) {
    if (blocked()) return;
    const { layer, feature } = current;
    const code = feature.properties.code || "";
    const input = G.h("input", { class: "gm-input", type: "text", id: "gm-prefix", inputmode: "numeric", value: code.slice(0, -3) });
    const list = G.h("div", { "aria-live": "polite" });
    const look = async () => {
      try {
        const trial = await G.api.grid(layer.id, "renumber", { prefix: input.value.trim(), dry_run: true });
        const row = (one) => G.h("tr", {}, G.h("td", { text: one.before || "" }), G.h("td", { text: "→" }), G.h("td", { text: one.after }));
        G.replace(list, trial.codes.length
          ? [G.h("p", { text: `${trial.codes.length} 个网格换新编码,旧编码停用:` }), G.h("div", { class: "gm-scroll", tabindex: "0" }, G.h("table", { class: "gm-table" }, G.h("tbody", {}, trial.codes.map(row))))]
          : G.h("p", { text: "编号已经是从西到东、从北到南的顺序,无需重新编号。" }));
        return trial.codes.length > 0;
      } catch (error) {
        G.replace(list, G.h("p", { class: "gm-fault", text: error.message }));
        return false;
      }
    };
    input.addEventListener("change", look);
    const answer = await G.dialogs.ask({
      title: `重新编号:${layer.title}`,
      content: [G.h("label", { class: "gm-label", for: "gm-prefix", text: "编码开头(上级的编码)" }), input, list],
      buttons: [{ title: "取消", value: false }, { title: "重新编号", value: true, kind: "primary", check: look }],
      onOpen: look,
    });
    if (answer !== true) return;
    const op = operation(layer, "renumber", { prefix: input.value.trim() }, { title: `重新编号 ${layer.title} ${input.value.trim()}…` });
    const sent = await G.edit.sendShowing(op, null);
    if (sent.receipt) G.select.reload();
  }

  // --- taking back ------------------------------------------------------------------------------------------------------------
  async function takeBack(last) {
    try {
      await G.api.grid(last.layer, "undo", { sequence: last.sequence });
      G.toast(`已撤销:${last.title}`, { key: "receipt" });
      G.tiles.refresh([last.layer]);
      G.select.close();
    } catch (error) {
      G.toast(error.message, { kind: error.status === 409 ? "warn" : "bad" });
      if (![409, 404].includes(error.status)) return;
    }
    G.edit.forgetCommit(last.sequence);
  }

  G.on("grid-saved", ({ op, receipt }) => {
    G.tiles.refresh([op.layer]);
    if (receipt.proposal) return G.proposals.told(receipt.proposal);
    if (!receipt.sequence) return G.toast(receipt.warnings[receipt.warnings.length - 1] || "没有改动,未保存。", { kind: "warn", key: "receipt" });
    G.edit.rememberCommit(op.layer, receipt.sequence, op.title);
    const count = receipt.changed.length + receipt.created.length + receipt.retired.length;
    G.toast(`${op.title}:已保存,涉及 ${count} 个网格`, { key: "receipt", kind: receipt.warnings.length ? "warn" : "good", details: receipt.warnings, action: { title: "撤销", run: G.edit.undo } });
  });

  // A grid of a whole partition is not deleted: its ground goes to a neighbour.
  async function offerMerge(problem) {
    if (await G.dialogs.confirm("不能直接删除", problem.message, "合并到相邻网格", "primary")) merge(G.select.current);
  }

  G.grids = { tools, border, split, splitForm, merge, offerMerge, renumber, takeBack };
})(window.Gridmap);
