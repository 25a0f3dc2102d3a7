// Everything that changes an element: fields, place and shape, new ones, verification, deletion, undo, restoring.
"use strict";
(function (G) {
  // What is being edited right now: {draft, layer, base, close}. One thing at a time.
  let work = null;
  const UNDO_KEEP = 20;

  const isBusy = () => work !== null;

  // A click on the map while something is being edited. The end of a drag arrives as a click too, and a click
  // while drawing belongs to the drawing.
  function clickedBeside(event) {
    if (work && work.onClick) return work.onClick(event);
    if (!work || !work.form || G.shape.isDrawing() || G.shape.sinceDrag() < 500) return;
    remind();
  }

  function remind() {
    G.toast("请先保存或取消当前的编辑。", { kind: "warn", key: "remind" });
    const place = document.querySelector("#gm-bar:not([hidden]) .gm-button, #gm-right .gm-panel-foot .gm-button");
    if (place) place.focus();
  }

  function begin(next) {
    work = next;
    document.body.classList.toggle("gm-editing", true);
    document.body.classList.toggle("gm-shaping", !next.form);
    // So that a reload of this very tab comes back to where the person was.
    sessionStorage.setItem("gridmap:open", next.draft.id);
    G.emit("editing", true);
  }

  // Leave the editor. The draft goes too unless `keepDraft`.
  function end({ keepDraft = false } = {}) {
    const ended = work;
    work = null;
    if (!ended) return;
    document.body.classList.remove("gm-editing", "gm-shaping");
    G.untoast("fault");
    sessionStorage.removeItem("gridmap:open");
    ended.close();
    if (!keepDraft) G.drafts.drop(ended.draft.id);
    G.emit("editing", false);
  }

  const saving = (button, isOn) => {
    if (!button) return;
    button.disabled = isOn;
    button.textContent = isOn ? "保存中…" : "保存";
  };

  // --- fields ------------------------------------------------------------------------------------------------
  function fields(current, draft = null) {
    if (isBusy()) return remind();
    if (G.past.at) return G.past.refuse();
    const base = draft ? draft.base : current.feature;
    const layer = draft ? G.app.layers[draft.layer] : current.layer;
    const kept = draft || {
      id: `fields:${layer.id}:${base.id}`, what: "fields", layer: layer.id, element: base.id, base,
      etag: current.etag, title: `修改 ${layer.title} ${G.titleOf(base)}`,
    };
    formPanel({
      draft: kept, layer, base, properties: base.properties, title: `修改:${G.titleOf(base)}`, raw: draft && draft.raw,
      async submit(form, values) {
        const changed = G.form.changes(values, base.properties);
        if (!Object.keys(changed).length) {
          end();
          G.select.reload();
          G.toast("没有改动,未产生新版本。", { kind: "warn" });
          return;
        }
        const op = G.pending.operation("patch", layer.id, {
          element: base.id, etag: kept.etag, base, body: { properties: changed }, title: kept.title,
        });
        const answer = await sendShowing(op, form);
        if (!answer.cancelled) finish(answer, base.id, layer);
      },
    });
  }

  // After a receipt the element is shown as it was stored; one that waits for the network cannot be asked for.
  function finish(answer, id, layer) {
    end();
    const made = answer.receipt && answer.receipt.feature;
    if (made) G.select.show({ ...made, layer: layer.id }, answer.receipt.people);
    else if (answer.queued || !id) G.select.close();
    else G.select.open(layer.id, id);
  }

  // Faults that the server finds go to their fields; anything else is said aloud and the form stays.
  async function sendShowing(op, form) {
    G.untoast("fault");
    try {
      const answer = await G.pending.send(op);
      if (answer.queued) {
        G.toast("网络不通,修改已放入“待发送”,恢复后自动保存。", { kind: "warn", action: { title: "查看", run: G.pending.openList } });
      }
      return answer;
    } catch (error) {
      let isPlaced = false;
      if (error.body && error.body.may_propose && (await G.proposals.offer(op, error))) return { proposed: true };
      if (op.kind === "delete" && error.body && error.body.neighbours) {
        await G.grids.offerMerge(error);
        return { cancelled: true };
      }
      for (const one of (error.body && error.body.problems) || []) {
        isPlaced = (form && form.fault(one.field, one.message)) || isPlaced;
      }
      // A code that somebody else has.
      if (error.status === 409 && error.body && error.body.code && form) isPlaced = form.fault("code", error.message) || isPlaced;
      G.toast(error.message, { kind: "bad", key: "fault" });
      const bad = isPlaced && form.element.querySelector('[aria-invalid="true"]');
      if (bad) {
        bad.focus({ preventScroll: true });
        bad.scrollIntoView({ block: "center" });
      }
      return { cancelled: true };
    }
  }

  function formPanel({ above = null, draft, layer, base, properties, title, raw, submit, onClose = () => {} }) {
    const notice = G.h("p", { class: "gm-note", role: "status", hidden: true });
    // A shape that was drawn for a new element is work already.
    let isTouched = !!raw || (!base && !G.symbols.isPoint(layer));
    const keepNow = () => {
      if (!work) return;
      isTouched = true;
      // Written at every key stroke: a crash in the next moment must find it.
      G.drafts.put({ ...draft, ...work.extra, raw: form.raw() });
    };
    const form = G.form.make(layer, properties, { onChange: keepNow });
    if (raw) form.fill(raw);
    const save = G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "保存" });
    const cancel = G.h("button", { class: "gm-button", type: "button", text: "取消", on: { click: () => giveUp() } });
    const run = async () => {
      if (save.disabled) return;
      const values = form.values();
      if (!values) return;
      saving(save, true);
      try {
        await submit(form, values);
      } finally {
        saving(save, false);
      }
    };
    save.addEventListener("click", run);
    form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      run();
    });
    // Enter in a one-line field saves, as people expect of a form.
    form.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT") {
        event.preventDefault();
        run();
      }
    });
    G.details.show({
      title, subtitle: layer.title, swatch: G.symbols.swatch(layer, G.symbols.symbolFor(layer, properties), { width: 36, height: 32 }),
      body: [base && G.presence.slot(base.id), notice, above, form.element], footer: G.h("div", { class: "gm-actions" }, save, cancel), onClose: () => giveUp(), label: title,
    });
    begin({
      draft, layer, base, form, notice, extra: {}, isTouched: () => isTouched,
      keepNow,
      close: () => {
        onClose();
        G.details.close();
      },
    });
    form.focus();
    return form;
  }

  // Close without saving; asks when something was typed or moved.
  async function giveUp() {
    if (!work) return;
    const { base, layer, isTouched } = work;
    if (isTouched() && !(await G.dialogs.confirm("放弃修改?", "尚未保存的内容将被清除。", "放弃"))) return;
    end();
    if (base && base.id) G.select.open(layer.id, base.id);
    else G.select.close();
  }

  // --- place and shape --------------------------------------------------------------------------------------
  function shape(current, draft = null) {
    if (isBusy()) return remind();
    if (G.past.at) return G.past.refuse();
    const base = draft ? draft.base : current.feature;
    const layer = draft ? G.app.layers[draft.layer] : current.layer;
    const isPoint = G.symbols.isPoint(layer);
    const kept = draft || {
      id: `shape:${layer.id}:${base.id}`, what: "shape", layer: layer.id, element: base.id, base,
      etag: current.etag, title: `${isPoint ? "移动" : "改边界"} ${layer.title} ${G.titleOf(base)}`,
    };
    G.tiles.hide(base.id);
    G.select.clearOutline();
    const bar = G.shape.bar({
      text: isPoint ? `拖动“${G.titleOf(base)}”到新位置` : `拖动顶点修改“${G.titleOf(base)}”;点空心点加顶点,右键或长按删顶点`,
      point: isPoint ? { lon: base.geometry.coordinates[0], lat: base.geometry.coordinates[1], set: setPoint } : null,
      coordinates: isPoint ? null : { kind: layer.geometry, read: () => handle.geometry(), write: (next) => handle.setGeometry(next) },
      onSave: save,
      onCancel: () => giveUp(),
    });
    const handle = G.shape.edit(layer, base.geometry, {
      id: base.id, props: base.properties,
      onChange(geometry) {
        if (isPoint) bar.place(...geometry.coordinates);
        G.drafts.put({ ...kept, geometry });
      },
    });
    begin({
      draft: kept, layer, base, isTouched: handle.isChanged,
      close: () => {
        handle.stop();
        bar.close();
        G.tiles.unhide(base.id);
      },
    });
    // The panel stays to be read, without its controls.
    document.querySelectorAll("#gm-right .gm-panel-foot").forEach((one) => one.remove());
    if (draft && draft.geometry) handle.setGeometry(draft.geometry);

    function setPoint(lon, lat) {
      const [x, y] = handle.geometry().coordinates;
      const next = [lon ?? x, lat ?? y];
      if (next.some((n) => !Number.isFinite(n)) || Math.abs(next[0]) > 180 || Math.abs(next[1]) > 90) {
        G.toast("经纬度应为数字,经度 −180 至 180,纬度 −90 至 90。", { kind: "warn" });
        return bar.place(x, y);
      }
      handle.setPoint(...next);
    }

    async function save() {
      const geometry = handle.geometry();
      if (!handle.isChanged()) {
        end();
        G.select.reload();
        return G.toast("没有改动,未产生新版本。", { kind: "warn" });
      }
      const button = document.querySelector("#gm-bar .gm-button-primary");
      saving(button, true);
      try {
        const op = G.pending.operation("patch", layer.id, { element: base.id, etag: kept.etag, base, body: { geometry }, title: kept.title });
        const answer = await sendShowing(op, null);
        if (!answer.cancelled) finish(answer, base.id, layer);
      } finally {
        saving(button, false);
      }
    }
  }

  // --- new ones ------------------------------------------------------------------------------------------------
  const editable = () => G.app.catalogue.layers.filter((one) => one.may_edit);

  // By group, as in the tree of layers: risks and places, which are added every day, before areas and lines.
  function oftenFirst(layers) {
    const { groups } = G.app.catalogue;
    const isPoint = (name) => layers.some((one) => one.group === name && G.symbols.isPoint(one));
    const isRisk = (name) => layers.some((one) => one.group === name && one.id === "risk");
    const rank = (name) => (isRisk(name) ? 0 : isPoint(name) ? 1 : 2);
    const order = [...groups].sort((a, b) => rank(a) - rank(b) || groups.indexOf(a) - groups.indexOf(b));
    return order.flatMap((name) => layers.filter((one) => one.group === name).sort((a, b) => (b.id === "risk") - (a.id === "risk") || a.order - b.order));
  }

  async function add() {
    if (isBusy()) return remind();
    if (G.past.at) return G.past.refuse();
    let chosen = null;
    const answer = await G.dialogs.ask({
      title: "新增要素:选择图层",
      content: G.h("ul", { class: "gm-list gm-layer-choice" }, oftenFirst(editable()).map((layer) =>
        G.h("li", {}, G.h("button", { class: "gm-hit", type: "button", data: { layer: layer.id }, on: { click: (event) => { chosen = layer; event.target.closest("dialog").close(); } } },
          G.symbols.swatch(layer, layer.symbol), G.h("span", { class: "gm-hit-words" }, G.h("strong", { text: layer.title }), G.h("span", { text: layer.group })))))),
      buttons: [{ title: "取消", value: false }],
    });
    if (answer === null && chosen) drawNew(chosen);
  }

  async function drawNew(layer) {
    G.select.close();
    if (!G.tiles.isVisible(layer.id)) G.layers.setVisible(layer.id, true);
    const bar = G.shape.bar({
      text: `新增${layer.title}:${G.shape.hints[layer.geometry]}`,
      coordinates: { kind: layer.geometry, read: () => null, write: G.shape.supply },
      onCancel: () => G.shape.stop(),
    });
    const placeholder = { draft: { id: "drawing" }, layer, base: null, isTouched: () => false, close: () => {} };
    work = placeholder;
    const geometry = await G.shape.draw(layer);
    bar.close();
    if (work === placeholder) work = null;
    if (geometry) newForm(layer, geometry);
  }

  async function suggestCode(layer, draftId) {
    try {
      const code = await G.api.nextCode(layer.id);
      if (code && work && work.draft.id === draftId) work.form.suggest("code", code);
    } catch {
      // Without a suggestion the code is typed.
    }
  }

  function newForm(layer, geometry, draft = null) {
    const kept = draft || {
      id: `new:${layer.id}:${G.uuid()}`, what: "new", layer: layer.id, geometry, key: G.uuid(), title: `新增 ${layer.title}`,
    };
    const defaults = Object.fromEntries(layer.fields.filter((one) => one.default !== null && one.default !== undefined).map((one) => [one.name, one.default]));
    // said while there is still nothing to lose
    const beyond = G.h("p", { class: "gm-note", role: "status", hidden: true, text: "位置超出您的责任区(地图上的框线),这样无法保存:请拖到责任区内,或请邻近责任区的民警新增。" });
    const judge = (next) => {
      beyond.hidden = !G.area.leaves(next);
    };
    const handle = G.shape.edit(layer, geometry, {
      props: defaults,
      onChange(next) {
        judge(next);
        if (!work) return;
        work.extra = { geometry: next };
        work.keepNow();
      },
    });
    judge(geometry);
    formPanel({
      above: beyond, draft: kept, layer, base: null, properties: defaults, title: `新增${layer.title}`, raw: draft && draft.raw,
      onClose: () => handle.stop(),
      async submit(form, values) {
        const properties = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
        const op = G.pending.operation("create", layer.id, {
          body: { type: "Feature", geometry: handle.geometry(), properties }, title: `新增 ${layer.title} ${values.name || values.code || ""}`.trim(),
        });
        // The same key for the same draft, however often it is sent.
        op.id = kept.key;
        const answer = await sendShowing(op, form);
        if (answer.cancelled) {
          // Refused content is new content the next time.
          kept.key = G.uuid();
          return;
        }
        finish(answer, null, layer);
      },
    });
    G.drafts.put({ ...kept, raw: draft ? draft.raw : null });
    if (!draft) suggestCode(layer, kept.id);
  }

  // --- single acts -----------------------------------------------------------------------------------------------
  async function act(kind, current, { body = {}, title }) {
    if (isBusy()) return remind();
    const op = G.pending.operation(kind, current.layer.id, { element: current.id, etag: current.etag, base: current.feature, body, title });
    const answer = await sendShowing(op, null);
    if (answer.receipt) return answer.receipt;
    if (answer.tookTheirs) G.select.reload();
    return null;
  }

  const name = (current) => `${current.layer.title} ${G.titleOf(current.feature)}`;

  async function verify(current) {
    if (await act("verify", current, { title: `核实 ${name(current)}` })) G.select.reload();
  }

  // Why an element is to go: kept until it is gone, for a deletion that is refused is tried again.
  const reasonKey = (id) => `gridmap:reason:${G.app.user.username}:${id}`;
  const keepReason = (id, reason) => (reason ? sessionStorage.setItem(reasonKey(id), reason) : sessionStorage.removeItem(reasonKey(id)));

  async function remove(current) {
    const words = `“${G.titleOf(current.feature)}”将从地图上移除。它的编码和历史会保留,可以撤销或恢复。`;
    const answer = await G.dialogs.confirmWithReason("删除该要素?", words, "删除", sessionStorage.getItem(reasonKey(current.id)) || "");
    if (!answer) return;
    keepReason(current.id, answer.reason);
    if (await act("delete", current, { body: { reason: answer.reason }, title: `删除 ${name(current)}` })) {
      if (G.select.current && G.select.current.id === current.id) G.details.gone(current, null);
    }
  }

  async function restore(current, toRevision) {
    const words = toRevision ? `将恢复到第 ${toRevision} 版的内容,并存为新的一版,历史不会丢失。` : "该要素将按删除前的内容恢复。";
    if (!(await G.dialogs.confirm("恢复?", words, "恢复", "primary"))) return;
    const done = await act("restore", current, { body: toRevision ? { to_revision: toRevision } : {}, title: `恢复 ${name(current)}` });
    if (done) G.select.open(current.layer.id, current.id);
  }

  // --- undo --------------------------------------------------------------------------------------------------------
  const undoKey = () => `gridmap:undo:${G.app.user.username}`;
  const undoable = () => JSON.parse(sessionStorage.getItem(undoKey()) || "[]");
  const keepUndo = (list) => {
    sessionStorage.setItem(undoKey(), JSON.stringify(list.slice(-UNDO_KEEP)));
    G.emit("undo");
  };

  function remember(op, receipt) {
    const before = Number(String(op.etag || '"0"').replace(/\D/g, ""));
    const id = op.element || (receipt.feature && receipt.feature.id);
    const revision = receipt.feature ? receipt.feature.properties.revision : before + 1;
    const list = undoable().filter((one) => one.id !== id);
    // Saved without a new version: nothing to take back, and the one that stands there may be another's.
    if (receipt.isUnchanged || (op.kind !== "create" && revision === before)) return;
    if (op.kind === "undo") return keepUndo(list);
    keepUndo([...list, { layer: op.layer, id, revision, title: op.title }]);
  }

  // A grid edit is taken back as a whole, by its commit.
  const rememberCommit = (layer, sequence, title) => keepUndo([...undoable(), { layer, sequence, id: `commit ${sequence}`, title }]);
  const forgetCommit = (sequence) => keepUndo(undoable().filter((one) => one.sequence !== sequence));

  async function undo() {
    if (isBusy()) return remind();
    if (G.past.at) return G.past.refuse();
    const list = undoable();
    const last = list[list.length - 1];
    if (!last) return;
    if (last.sequence) return G.grids.takeBack(last);
    const op = G.pending.operation("undo", last.layer, { element: last.id, etag: `"${last.revision}"`, title: `撤销:${last.title}` });
    try {
      await G.api.act(last.layer, last.id, "undo", { etag: op.etag }).then((receipt) => {
        G.emit("saved", { op, receipt });
      });
      // A creation that was taken back leaves nothing to open.
      if (last.revision === 1) G.select.close();
      else await G.select.open(last.layer, last.id);
    } catch (error) {
      if (error.status === 412) {
        keepUndo(list.slice(0, -1));
        G.toast(`不能撤销“${last.title}”:之后又有人修改过。可在“历史”中恢复到某一版。`, { kind: "warn" });
      } else {
        G.toast(error.message, { kind: "bad" });
      }
    }
  }

  // --- drafts ------------------------------------------------------------------------------------------------------
  function resume(draft) {
    if (isBusy()) return remind();
    const layer = G.app.layers[draft.layer];
    if (!layer || !layer.may_edit) return G.toast("您已没有编辑该图层的权限,无法继续这份草稿。", { kind: "bad" });
    const at = draft.geometry || (draft.base && draft.base.geometry);
    if (at) G.select.flyTo(at, layer);
    if (draft.what === "new") return newForm(layer, draft.geometry, draft);
    G.select.state.current = { layer, id: draft.base.id, feature: draft.base, people: {}, etag: draft.etag, grids: null, mayEdit: true, reason: null };
    if (draft.what === "border") {
      G.details.render();
      return G.grids.border(null, draft);
    }
    if (draft.what === "split") return G.grids.splitForm(draft);
    if (draft.what === "shape") {
      G.details.render();
      return shape(null, draft);
    }
    G.select.drawOutline(draft.base.geometry);
    return fields(null, draft);
  }

  // After a reload of this tab: go on where the person was.
  function resumeOpen() {
    const id = sessionStorage.getItem("gridmap:open");
    const draft = id && G.drafts.get(id);
    if (!draft || !(draft.raw || draft.geometry || draft.line)) return false;
    resume(draft);
    G.toast("已恢复刷新前未保存的内容。", { kind: "warn" });
    return true;
  }

  function abandon(id) {
    if (work && work.draft.id === id) end();
    else G.drafts.drop(id);
  }

  // Somebody else saved the element that is being edited: say so, touch nothing.
  function noticeChange(change) {
    if (!work || !work.base || work.base.id !== change.id) return false;
    const words = change.operation === "delete"
      ? `${change.actor_name} 刚刚删除了该要素。您的修改仍在,保存时会请您选择。`
      : `${change.actor_name} 刚刚保存了第 ${change.revision} 版。您的修改不受影响,保存时如有冲突会请您选择。`;
    if (!work.notice) {
      G.toast(words, { kind: "warn", key: "notice" });
      return true;
    }
    work.notice.hidden = false;
    work.notice.textContent = words;
    return true;
  }

  function escape() {
    if (G.shape.isDrawing()) G.shape.stop();
    else if (work) giveUp();
    else return false;
    return true;
  }

  // --- what follows a receipt ------------------------------------------------------------------------------------------
  const WORDS = { delete: "已删除", undo: "已撤销", restore: "已恢复", verify: "已核实", create: "已新增", patch: "已保存" };

  G.on("saved", ({ op, receipt }) => {
    remember(op, receipt);
    if (op.kind === "delete") keepReason(op.element, "");
    const feature = receipt.feature;
    const isQuiet = receipt.isUnchanged || (feature && op.etag === `"${feature.properties.revision}"`);
    const version = feature && !isQuiet ? `,第 ${feature.properties.revision} 版` : "";
    const subject = feature ? `“${G.titleOf(feature)}”` : op.base ? `“${G.titleOf(op.base)}”` : "";
    const canUndo = op.kind !== "undo" && !isQuiet;
    const layer = G.app.layers[op.layer];
    const merged = (receipt.merged || []).map((name) => G.fieldTitle(layer, name));
    const [told, ...more] = isQuiet ? [...receipt.warnings, "没有改动,未产生新版本。"] : [
          // of a station, 已撤销 after its name would say that it was closed down
          op.kind === "undo" ? `已${op.title || "撤销"}${version}` : `${subject}${WORDS[op.kind]}${version}`,
          ...(merged.length ? [`已与他人的修改自动合并,保留了对方改的:${merged.join("、")}。`] : []),
          ...receipt.warnings,
        ];
    G.toast(told, {
      kind: receipt.warnings.length ? "warn" : "good",
      key: "receipt",
      details: isQuiet ? [] : more,
      action: canUndo ? { title: "撤销", run: undo } : null,
    });
    const boxes = [op.base, feature].filter(Boolean).map((one) => {
      const b = L.geoJSON(one.geometry).getBounds();
      return [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()];
    });
    // Without both states, the ground that changed is not known.
    G.tiles.refresh([op.layer], op.base && (feature || op.kind === "delete") ? boxes : null);
  });

  G.on("took-theirs", ({ op }) => {
    // also one that was found in the list, after another day's work
    if (op.kind === "delete") keepReason(op.element, op.body.reason);
    G.tiles.refresh([op.layer]);
    G.toast("已保留对方的版本,您的修改未保存。", { kind: "warn" });
  });

  G.edit = {
    isBusy, remind, begin, end, giveUp, sendShowing, rememberCommit, forgetCommit, clickedBeside, fields, shape, add, drawNew, verify, remove, restore, undo, undoable, resume, resumeOpen, abandon, noticeChange, escape, editable,
    get work() {
      return work;
    },
  };
})(window.Gridmap);
