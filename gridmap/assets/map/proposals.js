// Changes that reach into another's area: offered as a proposal here, and answered here by the other side.
"use strict";
(function (G) {
  let waiting = [];
  let ghost = null;

  // --- proposing ----------------------------------------------------------------------------------------------
  // The server refused an edit that may be proposed; whether it was.
  async function offer(op, refusal) {
    const input = G.h("input", { type: "text", class: "gm-input", maxlength: "200", id: "gm-propose-reason" });
    const answer = await G.dialogs.ask({
      title: "改动涉及他人的责任区",
      content: [
        G.h("p", { text: refusal.message }),
        G.h("p", { text: "可以把这项改动提交为提议,由对方民警或网格管理员接受或退回;在此之前地图不变。" }),
        G.h("label", { class: "gm-label", for: "gm-propose-reason", text: "说明(可不填,对方会看到)" }),
        input,
      ],
      buttons: [
        { title: "取消,继续编辑", value: false },
        { title: "提交为提议", value: true, kind: "primary" },
      ],
    });
    if (answer !== true) return false;
    try {
      const made = await G.api.propose({
        layer: op.layer, id: op.element, base_revision: G.api.revisionOf(op.etag), reason: input.value.trim(), ...op.body,
      });
      told(made);
      return true;
    } catch (error) {
      G.toast(error.message, { kind: "bad" });
      return false;
    }
  }

  const told = (made) =>
    G.toast(`已提交提议“${made.title}”,等待对方处理。`, { key: "receipt", action: { title: "查看", run: () => list("sent") } });

  // --- the inbox ------------------------------------------------------------------------------------------------
  async function refresh() {
    if (!G.app.user.permissions.includes("edit_elements")) return;
    try {
      waiting = (await G.api.proposals("inbox")).proposals;
    } catch {
      return;
    }
    const chip = document.getElementById("gm-proposals");
    if (!chip) return;
    chip.hidden = !waiting.length;
    G.replace(chip, G.icon("send", 18), G.h("span", { text: `提议 ${waiting.length}` }));
    chip.setAttribute("aria-label", `提议 ${waiting.length},等您处理`);
  }

  async function list(box = "inbox") {
    let found;
    try {
      found = (await G.api.proposals(box)).proposals;
    } catch (error) {
      return G.toast(error.message, { kind: "bad" });
    }
    let chosen = null;
    let other = false;
    const rows = found.map((one) =>
      G.h("li", { class: "gm-pending-row" },
        G.h("div", { class: "gm-pending-words" }, G.h("strong", { text: one.title }), G.h("span", { class: "gm-badge", text: one.state_title }),
          G.h("p", { class: "gm-hint", text: [one.created_by_name, G.timeText(one.created_at), one.reason && `说明:${one.reason}`, one.answer && `答复:${one.answer}`].filter(Boolean).join(" · ") })),
        G.h("button", { class: "gm-button", type: "button", text: "查看", on: { click: (event) => { chosen = one; event.target.closest("dialog").close(); } } })));
    await G.dialogs.ask({
      title: box === "inbox" ? "等您处理的提议" : "我提交的提议",
      content: rows.length ? G.h("ul", { class: "gm-pending-list" }, rows) : G.h("p", { text: box === "inbox" ? "没有等您处理的提议。" : "您还没有提交过提议。" }),
      buttons: [
        { title: box === "inbox" ? "我提交的" : "等我处理的", value: "other" },
        { title: "关闭", value: true },
      ],
      onOpen: (dialog) => dialog.querySelector('[data-answer="other"]').addEventListener("click", () => (other = true)),
    });
    if (other) return list(box === "inbox" ? "sent" : "inbox");
    if (chosen) show(chosen.id);
  }

  function clearGhost() {
    if (ghost) ghost.remove();
    ghost = null;
  }

  // One proposal in the panel, with both states on the map.
  async function show(id) {
    if (G.edit.isBusy()) return G.edit.remind();
    G.select.close();
    let one;
    try {
      one = await G.api.proposal(id);
    } catch (error) {
      return G.toast(error.message, { kind: "bad" });
    }
    drawStates(one);
    const layer = G.app.layers[one.layer];
    const note = G.h("input", { type: "text", class: "gm-input", maxlength: "200", id: "gm-answer" });
    const close = () => {
      clearGhost();
      G.details.close();
    };
    const decide = (what, words) => async (event) => {
      event.target.disabled = true;
      try {
        const done = await G.api.decide(one.id, what, note.value.trim());
        close();
        G.toast(`${words}“${one.title}”。`, { key: "receipt", details: done.warnings || [] });
        if (done.sequence) G.tiles.refresh(G.app.catalogue.layers.map((each) => each.id));
        refresh();
      } catch (error) {
        event.target.disabled = false;
        G.toast(error.message, { kind: "bad" });
      }
    };
    const button = (text, kind, run) => G.h("button", { class: `gm-button ${kind}`, type: "button", text, on: { click: run } });
    const row = (title, value) => value && G.h("div", { class: "gm-fact" }, G.h("dt", { text: title }), G.h("dd", { text: value }));
    G.details.show({
      title: one.title, subtitle: one.layer_title, badges: [G.details.badge(one.state_title, one.state === "open" ? "warn" : "")],
      body: [
        G.h("dl", { class: "gm-facts" },
          row("提出", `${one.created_by_name} · ${G.timeText(one.created_at)}`), row("说明", one.reason),
          row("处理", one.decided_by && `${one.decided_by_name} · ${G.timeText(one.decided_at)}`), row("答复", one.answer)),
        one.before && differences(layer, one),
        one.obstacle && G.h("p", { class: "gm-note" }, G.icon("warn", 18), G.h("span", { text: `现在还不能接受:${one.obstacle}` })),
        one.before && one.before.length > 0 && G.h("p", { class: "gm-note-plain", text: "图上:灰色虚线为现在,蓝色为提议的状态。" }),
        one.may_decide && [G.h("label", { class: "gm-label", for: "gm-answer", text: "答复(可不填)" }), note],
      ],
      footer: one.state === "open" && G.h("div", { class: "gm-actions" },
        one.may_decide && [button("接受", "gm-button-primary", decide("accept", "已接受提议")), button("退回", "", decide("decline", "已退回提议"))],
        one.is_mine && button("撤回提议", "", decide("withdraw", "已撤回提议"))),
      onClose: close, label: "提议",
    });
  }

  function differences(layer, one) {
    const before = new Map(one.before.map((each) => [each.id, each]));
    const rows = one.after.flatMap((after) => {
      const then = before.get(after.id);
      if (!then) return [G.h("li", { text: `新增:${G.titleOf(after)}(${after.properties.code || "无编码"})` })];
      const names = ["code", "name", ...layer.fields.map((each) => each.name)].filter((name) => !G.same(then.properties[name], after.properties[name]));
      const words = names.map((name) => `${G.fieldTitle(layer, name)}:${G.valueText(layer, name, then.properties[name]) || "(空)"} → ${G.valueText(layer, name, after.properties[name]) || "(空)"}`);
      if (!G.same(then.geometry, after.geometry)) words.push("位置或范围有变");
      return words.length ? [G.h("li", { text: `${G.titleOf(after)}:${words.join(";")}` })] : [];
    });
    return rows.length > 0 && G.h("ul", { class: "gm-plain-list" }, rows);
  }

  function drawStates(one) {
    clearGhost();
    const all = [...(one.before || []), ...(one.after || [])];
    if (!all.length) return;
    const draw = (each, color, dashArray, radius) => {
      const look = { color, dashArray, weight: 4, fill: !dashArray, fillOpacity: 0.08, interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-outline" };
      return L.geoJSON(each.geometry, { ...look, style: look, pointToLayer: (_, at) => L.circleMarker(at, { ...look, radius, fillOpacity: 0.9 }) });
    };
    ghost = L.featureGroup([...one.before.map((each) => draw(each, "#6b7482", "6 5", 14)), ...one.after.map((each) => draw(each, "#1f4e9d", null, 9))], { pmIgnore: true }).addTo(G.app.map);
    const box = L.featureGroup(all.map((each) => L.geoJSON(each.geometry))).getBounds();
    // The panel beside it comes with the next words: its room is kept free already.
    const room = G.panels.room();
    const right = window.innerWidth < 900 ? 20 : Math.max(room.right, 404);
    G.app.map.fitBounds(box, { paddingTopLeft: [room.left + 30, room.top + 20], paddingBottomRight: [right, room.bottom + 20], maxZoom: 16, animate: false });
  }
  G.on("selected", clearGhost);

  function start() {
    refresh();
    // A proposal is no commit: looked for now and then, and whenever somebody comes back to the tab.
    setInterval(() => !document.hidden && G.app.isOnline !== false && refresh(), 60000);
    document.addEventListener("visibilitychange", () => !document.hidden && refresh());
    G.on("sequence", G.debounce(refresh, 2000));
  }

  G.proposals = { start, offer, told, list, show, refresh };
})(window.Gridmap);
