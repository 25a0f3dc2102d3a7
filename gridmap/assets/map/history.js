// What an element was: its revisions with who, when and what changed, and its state as of a date.
"use strict";
(function (G) {
  let ghost = null;

  function clearGhost() {
    if (ghost) ghost.remove();
    ghost = null;
  }

  function showGhost(geometry) {
    clearGhost();
    if (geometry) ghost = G.select.shapeLayer(geometry, { color: "#7a4b00", weight: 3, dashArray: "6 5", ring: 28 }).addTo(G.app.map);
  }
  G.on("selected", clearGhost);
  G.on("layout", () => {
    if (G.details.tab === "facts") clearGhost();
  });

  const text = (change, side) => change[`${side}_text`] ?? (typeof change[side] === "object" ? "" : String(change[side] ?? ""));

  function changeRow(change) {
    return G.h("li", { class: "gm-change" },
      G.h("span", { class: "gm-change-field", text: change.title }),
      G.h("span", { class: "gm-before", text: text(change, "before") || "(空)" }),
      G.h("span", { "aria-label": "改为", text: "→" }),
      G.h("span", { class: "gm-after", text: text(change, "after") || "(空)" }));
  }

  function revisionRow(current, one, isNewest) {
    const canRestore = current.layer.may_edit && current.mayEdit && !isNewest && !one.is_redacted && one.operation !== "delete";
    const geometry = one.changed.find((c) => c.field === "geometry");
    return G.h("li", { class: "gm-revision" },
      G.h("div", { class: "gm-revision-head" },
        G.h("strong", { text: `第 ${one.revision} 版` }),
        G.details.badge(one.operation_title, one.operation === "delete" ? "bad" : ""),
        isNewest && G.details.badge("现在", "good")),
      G.h("p", { class: "gm-revision-who", text: `${one.actor_name} · ${G.timeText(one.at)}` }),
      one.reason && G.h("p", { class: "gm-hint", text: `原因:${one.reason}` }),
      one.is_redacted && G.h("p", { class: "gm-hint", text: "内容已按规定清除。" }),
      one.changed.length > 0 && G.h("ul", { class: "gm-changes" }, one.changed.map(changeRow)),
      (canRestore || geometry) && G.h("div", { class: "gm-revision-buttons" },
        geometry && G.h("button", { class: "gm-button gm-button-small", type: "button", text: "在图上看", on: { click: () => showGhost(geometry.after) } }),
        canRestore && G.h("button", { class: "gm-button gm-button-small", type: "button", on: { click: () => G.edit.restore(current, one.revision) } }, G.icon("restore", 18), "恢复到此版")));
  }

  async function render(host, current) {
    G.replace(host, G.h("div", { class: "gm-skeleton" }, [1, 2, 3].map(() => G.h("div", { class: "gm-bone gm-bone-tall" }))));
    try {
      const { revisions } = await G.api.history(current.layer.id, current.id);
      if (!host.isConnected) return;
      G.replace(host, G.h("ol", { class: "gm-revisions" }, revisions.map((one, i) => revisionRow(current, one, i === 0))));
    } catch (error) {
      if (!host.isConnected) return;
      G.replace(host, G.h("div", { class: "gm-empty", role: "alert" }, G.h("p", { text: error.message }),
        G.h("button", { class: "gm-button", type: "button", text: "重试", on: { click: () => render(host, current) } })));
    }
  }

  // --- as of a date -----------------------------------------------------------------------------------------
  function renderAsOf(host, current) {
    const input = G.h("input", { type: "datetime-local", class: "gm-input", id: "gm-asof", max: G.minute(new Date()).replace(" ", "T") });
    const answer = G.h("div", { "aria-live": "polite" });
    const look = async () => {
      if (!input.value) return;
      // The whole minute counts: what was saved within it is already there.
      const at = new Date(G.fromWall(input.value).getTime() + 59999);
      G.replace(answer, G.h("div", { class: "gm-bone" }));
      try {
        const { feature: past, people } = await G.api.asOf(current.layer.id, current.id, G.rfc3339(at));
        if (answer.isConnected) G.replace(answer, pastFacts(current, past, people));
        showGhost(G.same(past.geometry, current.feature.geometry) ? null : past.geometry);
      } catch (error) {
        clearGhost();
        if (answer.isConnected) G.replace(answer, G.h("p", { class: "gm-note", text: error.message }));
      }
    };
    input.addEventListener("change", look);
    const back = (days) => () => {
      input.value = G.minute(new Date(Date.now() - days * 86400000)).replace(" ", "T");
      look();
    };
    const chip = (title, days) => G.h("button", { class: "gm-button gm-button-small", type: "button", text: title, on: { click: back(days) } });
    G.replace(host,
      G.h("label", { class: "gm-label", for: "gm-asof", text: "查看该要素截至某一时刻的状态" }),
      input,
      G.h("div", { class: "gm-chips" }, chip("一天前", 1), chip("一周前", 7), chip("一月前", 30), chip("一年前", 365)),
      answer);
  }

  function pastFacts(current, past, people) {
    const { layer, feature } = current;
    const rows = [["code", "编码"], ["name", "名称"], ...layer.fields.map((one) => [one.name, one.title])].map(([name, title]) => {
      const then = G.valueText(layer, name, past.properties[name]);
      const now = G.valueText(layer, name, feature.properties[name]);
      return G.h("div", { class: `gm-fact ${then !== now ? "gm-fact-differs" : ""}` }, G.h("dt", { text: title }),
        G.h("dd", {}, then || "未填", then !== now && G.h("span", { class: "gm-hint", text: `现在:${now || "未填"}` })));
    });
    const isMoved = !G.same(past.geometry, feature.geometry);
    return [
      G.h("p", { class: "gm-note-plain", text: `当时为第 ${past.properties.revision} 版,${people[past.properties.updated_by] || ""} 于 ${G.timeText(past.properties.updated_at)} 保存。` }),
      isMoved && G.h("p", { class: "gm-note-plain", text: "当时的位置或范围与现在不同,已用棕色虚线标在图上。" }),
      G.h("dl", { class: "gm-facts" }, rows),
    ];
  }

  G.history = { render, renderAsOf, clearGhost };
})(window.Gridmap);
