// Finding an element by code, name or pinyin; arrows and Enter choose, a click flies there and opens it.
"use strict";
(function (G) {
  const LIMIT = 20;
  let abort = null;
  let results = [];
  // The words that the listed results answer, and whether Enter was pressed before they came.
  let answered = "";
  let isHurried = false;

  function make() {
    const input = G.h("input", {
      type: "search", id: "gm-search", class: "gm-search-input", placeholder: "搜索编码、名称、拼音", autocomplete: "off", spellcheck: "false",
      role: "combobox", "aria-expanded": "false", "aria-controls": "gm-results", "aria-autocomplete": "list", "aria-label": "搜索要素",
    });
    const list = G.h("ul", { class: "gm-results", id: "gm-results", role: "listbox", "aria-label": "搜索结果", hidden: true });
    const clear = G.h("button", { class: "gm-icon-button", type: "button", "aria-label": "清除搜索", hidden: true, on: { click: () => reset(true) } }, G.icon("close", 18));
    const box = G.h("div", { class: "gm-search", role: "search" }, G.h("span", { class: "gm-search-icon" }, G.icon("search", 20)), input, clear, list);

    const listbox = G.listbox.make({ input, list, onPick: pick });
    const { open, close } = listbox;
    function reset(focus) {
      input.value = "";
      clear.hidden = true;
      results = [];
      answered = "";
      close();
      if (focus) input.focus();
    }

    const ask = G.debounce(async () => {
      const text = input.value.trim();
      if (abort) abort.abort();
      if (!text) {
        isHurried = false;
        return close();
      }
      abort = new AbortController();
      try {
        const { filter } = G.layers;
        const answer = await G.api.search(text, { limit: LIMIT, grid: filter && `${filter.layer.id}:${filter.code}` }, abort.signal);
        results = answer.results.filter((one) => G.app.layers[one.layer]);
        answered = text;
        draw(filter);
        if (isHurried) pick(0);
        isHurried = false;
      } catch (error) {
        if (error.name === "AbortError") return;
        results = [];
        listbox.draw([G.h("li", { class: "gm-no-result", text: error.message })]);
        open();
      }
    }, 180);

    function draw(filter) {
      const where = filter ? `“${filter.name || filter.code}”内` : "";
      if (!results.length) {
        listbox.draw([G.h("li", { class: "gm-no-result", text: `${where}没有找到“${input.value.trim()}”` })]);
      } else {
        listbox.draw(results.map((one) => {
          const layer = G.app.layers[one.layer];
          return G.h("li", { class: "gm-result", role: "option" },
            G.symbols.swatch(layer, layer.symbol),
            G.h("span", { class: "gm-hit-words" }, G.h("strong", { text: one.name || one.code }), G.h("span", { text: [layer.title, one.name ? one.code : ""].filter(Boolean).join(" · ") })));
        }));
      }
      G.say(results.length ? `${results.length} 个结果` : "没有结果");
      open();
    }

    async function pick(i) {
      const one = results[i];
      if (!one) return;
      if (G.edit.isBusy()) return G.edit.remind();
      close();
      input.blur();
      const layer = G.app.layers[one.layer];
      if (!G.tiles.isVisible(one.layer)) G.layers.setVisible(one.layer, true);
      G.panels.narrowed();
      await G.select.open(one.layer, one.id, { fly: true });
      G.say(`已定位到${layer.title}${one.name || one.code}`);
    }

    input.addEventListener("input", () => {
      clear.hidden = !input.value;
      ask();
    });
    input.addEventListener("focus", () => {
      if (results.length && input.value.trim()) open();
    });
    input.addEventListener("blur", () => setTimeout(close, 150));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        if (answered === input.value.trim()) pick(Math.max(listbox.active, 0));
        else isHurried = true;
      } else if (event.key === "Escape") {
        reset(false);
        input.blur();
        return;
      } else if (!listbox.arrows(event)) return;
      event.preventDefault();
    });
    G.on("filter", (filter) => {
      input.placeholder = filter ? `在“${filter.name || filter.code}”内搜索` : "搜索编码、名称、拼音";
      if (input.value.trim() && document.activeElement === input) ask();
      else results = [];
    });
    return box;
  }

  G.search = { make };
})(window.Gridmap);
