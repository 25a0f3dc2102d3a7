// The panel on the right: what an element is, where it lies, how fresh it is, and what may be done with it.
"use strict";
(function (G) {
  const TABS = [
    ["facts", "详情"],
    ["history", "历史"],
    ["asof", "截至日期"],
  ];
  let tab = "facts";

  const panel = () => document.getElementById("gm-right");
  const may = (permission) => G.app.user.permissions.includes(permission);

  // --- the frame every panel content has ------------------------------------------------------------------
  function show({ title, subtitle, badges = [], swatch = null, body, footer = null, onClose, label }) {
    const box = panel();
    G.replace(box,
      G.h("header", { class: "gm-panel-head" },
        swatch,
        G.h("div", { class: "gm-panel-title" },
          G.h("h2", { text: title, title }),
          G.h("p", { class: "gm-subtitle" }, subtitle, badges)),
        G.h("button", { class: "gm-icon-button", type: "button", "aria-label": "关闭", title: "关闭", on: { click: onClose } }, G.icon("close")),
      ),
      G.h("div", { class: "gm-panel-body" }, body),
      footer && G.h("footer", { class: "gm-panel-foot" }, footer),
    );
    box.setAttribute("aria-label", label || title);
    box.hidden = false;
    G.emit("layout");
  }

  function close() {
    panel().hidden = true;
    panel().replaceChildren();
    tab = "facts";
    G.emit("layout");
  }

  const badge = (text, kind = "") => G.h("span", { class: `gm-badge ${kind && "gm-badge-" + kind}`, text });

  function badgesOf(feature) {
    return [
      G.past.at && badge(`${G.timeText(G.past.at)} 的状态`, "warn"),
      G.isSimulated(feature) && badge("模拟数据", "sim"),
      G.isOverdue(feature) && G.h("span", { class: "gm-badge gm-badge-bad" }, G.icon("warn", 16), "逾期未核实"),
    ];
  }

  const swatchOf = (layer, feature) => G.symbols.swatch(layer, G.symbols.symbolFor(layer, feature.properties), { width: 36, height: 32 });

  // --- states ----------------------------------------------------------------------------------------------
  function loading(layer) {
    show({
      title: "正在读取…",
      subtitle: layer.title,
      body: G.h("div", { class: "gm-skeleton", "aria-busy": "true" }, [1, 2, 3, 4, 5, 6].map(() => G.h("div", { class: "gm-bone" }))),
      onClose: () => G.select.close(),
    });
  }

  function failed(error, retry) {
    show({
      title: "没有读到",
      subtitle: "",
      body: G.h("div", { class: "gm-empty", role: "alert" }, G.h("p", { text: error.message }),
        G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "重试", on: { click: retry } })),
      onClose: () => G.select.close(),
    });
  }

  function gone(current, error) {
    G.select.clearOutline();
    current.isGone = true;
    const mayRestore = current.layer.may_edit && current.mayEdit;
    show({
      title: G.titleOf(current.feature),
      subtitle: current.layer.title,
      badges: [badge("已删除", "bad")],
      body: G.h("div", { class: "gm-empty" }, G.h("p", { text: error ? error.message : "该要素已被删除。" }),
        mayRestore && G.h("button", { class: "gm-button gm-button-primary", type: "button", text: "恢复该要素", on: { click: () => G.edit.restore(current, null) } })),
      onClose: () => G.select.close(),
    });
  }

  // Several things lie under the click: which one is meant?
  function choose(hits) {
    G.select.clearOutline();
    show({
      title: `此处有 ${hits.length} 个要素`,
      subtitle: "请选择一个",
      body: G.h("ul", { class: "gm-list" }, hits.map((one) => G.h("li", {}, hitButton(one, hits)))),
      onClose: () => G.select.close(),
      label: "选择要素",
    });
    const first = panel().querySelector(".gm-hit");
    if (first) first.focus();
  }

  function hitButton(feature, hits) {
    const layer = G.app.layers[G.select.layerOf(feature)];
    return G.h("button", {
      class: "gm-hit", type: "button",
      on: {
        click: () => { G.select.state.hits = hits; G.select.show(feature); },
        mouseenter: () => G.select.drawOutline(feature.geometry),
        focus: () => G.select.drawOutline(feature.geometry),
      },
    }, swatchOf(layer, feature), G.h("span", { class: "gm-hit-words" }, G.h("strong", { text: G.titleOf(feature) }), G.h("span", { text: [layer.title, feature.properties.code].filter(Boolean).join(" · ") })));
  }

  // --- the element -------------------------------------------------------------------------------------------
  function render() {
    const { current } = G.select;
    if (!current || G.edit.isBusy()) return;
    const { layer, feature } = current;
    const others = G.select.state.hits.filter((one) => one.id !== current.id);
    const tabs = may("view_history") && !G.past.at ? TABS : TABS.slice(0, 1);
    if (!tabs.some(([name]) => name === tab)) tab = "facts";
    const host = G.h("div", { class: "gm-tab-body", role: "tabpanel", id: "gm-tab-body", tabindex: "0" });
    show({
      title: G.titleOf(feature),
      subtitle: [layer.title, feature.properties.code].filter(Boolean).join(" · "),
      badges: badgesOf(feature),
      swatch: swatchOf(layer, feature),
      body: [
        G.presence.slot(current.id),
        tabs.length > 1 && tabBar(tabs),
        host,
        tab === "facts" && others.length > 0 && G.h("details", { class: "gm-more" },
          G.h("summary", { text: `此处还有 ${others.length} 个要素` }),
          G.h("ul", { class: "gm-list" }, others.map((one) => G.h("li", {}, hitButton(one, G.select.state.hits))))),
      ],
      footer: tab === "facts" ? actions(current) : null,
      onClose: () => G.select.close(),
    });
    if (tab === "facts") G.fill(host, [facts(current)]);
    else if (tab === "history") G.history.render(host, current);
    else G.history.renderAsOf(host, current);
  }

  function tabBar(tabs) {
    const select = (name) => {
      tab = name;
      render();
      const now = panel().querySelector('[role=tab][aria-selected="true"]');
      if (now) now.focus();
    };
    const buttons = tabs.map(([name, title], i) =>
      G.h("button", {
        class: "gm-tab", type: "button", role: "tab", "aria-selected": String(name === tab), "aria-controls": "gm-tab-body",
        tabindex: name === tab ? "0" : "-1", text: title,
        on: {
          click: () => select(name),
          keydown: (event) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            if (step) select(tabs[(i + step + tabs.length) % tabs.length][0]);
          },
        },
      }),
    );
    return G.h("div", { class: "gm-tabs", role: "tablist" }, buttons);
  }

  function facts(current) {
    const { layer, feature, grids, people } = current;
    const p = feature.properties;
    const row = (title, value, extra) => G.h("div", { class: "gm-fact" }, G.h("dt", { text: title }), G.h("dd", {}, value, extra));
    const empty = () => G.h("span", { class: "gm-none", text: "未填" });
    const masked = new Set(feature.masked || []);
    const few = () => G.h("span", { class: "gm-few", text: "少于 5", title: "数量很小,按隐私规定不显示具体数字" });
    const own = [["code", "编码"], ["name", "名称"], ...layer.fields.map((one) => [one.name, one.title])];
    return [
      G.h("dl", { class: "gm-facts" }, own.map(([name, title]) => row(title, G.valueText(layer, name, p[name]) || (masked.has(name) ? few() : empty())))),
      G.h("h3", { text: "位置" }),
      grids === null
        ? G.h("div", { class: "gm-bone" })
        : G.h("dl", { class: "gm-facts" },
            grids.map((one) => row(one.layer_title, [one.name, one.code].filter(Boolean).join(" · "))),
            placeRow(feature, row)),
      G.h("h3", { text: "核实与版本" }),
      G.h("dl", { class: "gm-facts" },
        layer.freshness && row("上次核实", p.verified_at ? `${G.dayText(p.verified_at)} ${people[p.verified_by] || ""}` : "从未核实"),
        layer.freshness && row("应核实于", p.due_at ? G.dayText(p.due_at) : "无固定周期", G.isOverdue(feature) && badge("已逾期", "bad")),
        row("版本", `第 ${p.revision} 版`),
        row("最近修改", `${G.timeText(p.updated_at)} ${people[p.updated_by] || ""}`),
        row("数据来源", p.source === "simulated" ? "模拟数据" : "真实数据")),
      G.app.catalogue.photos && G.photos.section(current),
    ];
  }

  function placeRow(feature, row) {
    if (feature.geometry.type !== "Point") return null;
    const [lon, lat] = feature.geometry.coordinates;
    return row("经纬度", `${lon.toFixed(6)}, ${lat.toFixed(6)}`);
  }

  // Those who may not edit at all see no control; those who may not here are told why.
  function actions(current) {
    const { layer, mayEdit, reason } = current;
    if (!layer.may_edit || G.past.at) return null;
    if (mayEdit === null) return null;
    if (!mayEdit) return reason ? G.h("p", { class: "gm-note" }, G.icon("warn", 18), G.h("span", { text: reason })) : null;
    const tool = (icon, title, run, kind = "") =>
      G.h("button", { class: `gm-button ${kind}`, type: "button", on: { click: run } }, G.icon(icon, 18), title);
    return G.h("div", { class: "gm-actions" },
      tool("edit", "修改", () => G.edit.fields(current), "gm-button-primary"),
      layer.partition ? G.grids.tools(current, tool) : [
        G.symbols.isPoint(layer) ? tool("move", "移动", () => G.edit.shape(current)) : tool("shape", "改边界", () => G.edit.shape(current)),
      ],
      layer.freshness && tool("check", "核实无变化", () => G.edit.verify(current)),
      tool("trash", "删除", () => G.edit.remove(current), "gm-button-quiet-danger"),
    );
  }

  G.details = {
    show, close, loading, failed, gone, choose, render, badge, swatchOf,
    get tab() {
      return tab;
    },
    set tab(name) {
      tab = name;
    },
  };
})(window.Gridmap);
