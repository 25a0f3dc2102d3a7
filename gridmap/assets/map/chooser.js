// One of many, found by typing: code, name or pinyin, under the headings of their groups. Arrows, Enter and Escape serve.
"use strict";
(function (G) {
  // More cannot be looked through: a word more is typed instead.
  const MOST = 500;

  const wordsOf = (one) => one.name || one.code;

  /*
   * A chooser among {code, name, group, search}; `onChoose` hears the one that was chosen, or null.
   * Answers {box, list, offer, withhold}: where to type, what to choose from, and when there is something to choose.
   */
  function make({ id, label, onChoose }) {
    let all = [];
    let found = [];
    let chosen = null;

    const input = G.h("input", {
      type: "text", id, class: "gm-choose-input", autocomplete: "off", spellcheck: "false", disabled: true,
      role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list",
    });
    const list = G.h("ul", { class: "gm-results gm-choices", id: `${id}-list`, role: "listbox", "aria-label": label, hidden: true });
    const clear = G.h("button", { class: "gm-icon-button", type: "button", "aria-label": `清除${label}`, title: "清除", hidden: true, on: { click: empty } }, G.icon("close", 18));
    const arrow = G.h("button", { class: "gm-icon-button", type: "button", tabindex: "-1", "aria-label": `列出全部${label}`, disabled: true }, G.icon("down", 18));
    const box = G.h("div", { class: "gm-choose" }, input, clear, arrow);
    const listbox = G.listbox.make({ input, list, onPick });

    function choose(one) {
      const isNew = one !== chosen;
      chosen = one;
      settle();
      if (isNew) onChoose(one);
    }

    // Who points has done: the keyboard of a tablet makes room for the map.
    function onPick(i) {
      choose(found[i]);
      input.blur();
    }

    function empty() {
      choose(null);
      input.focus();
    }

    // The box says what is chosen, whatever was typed meanwhile.
    function settle() {
      listbox.close();
      input.value = chosen ? wordsOf(chosen) : "";
      input.title = chosen ? `${wordsOf(chosen)}(${chosen.code})` : "";
      clear.hidden = !chosen;
      arrow.hidden = !!chosen;
    }

    function option(one) {
      return G.h("li", { class: "gm-result", role: "option" },
        G.h("span", { class: "gm-hit-words" }, G.h("strong", { text: wordsOf(one) }), one.name && G.h("span", { text: one.code })));
    }

    // Groups in the order of their first members.
    function grouped(items) {
      const groups = new Map();
      for (const one of items) groups.set(one.group, [...(groups.get(one.group) || []), one]);
      return groups;
    }

    function section([name, part]) {
      if (!name) return part.map(option);
      return G.h("li", { role: "group", "aria-label": name },
        G.h("p", { class: "gm-choice-group", "aria-hidden": "true", text: `${name}(${part.length})` }),
        G.h("ul", { role: "presentation" }, part.map(option)));
    }

    function show(text) {
      const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const hits = all.filter((one) => words.every((word) => one.search.includes(word)));
      const groups = grouped(hits.slice(0, MOST));
      found = [...groups.values()].flat();
      const more = hits.length - found.length;
      const none = G.h("li", { class: "gm-no-result", text: `没有找到“${text.trim()}”` });
      listbox.draw([hits.length ? [...groups].map(section) : none, more > 0 && G.h("li", { class: "gm-no-result", role: "presentation", text: `还有 ${more} 个,请再输入几个字` })]);
      listbox.open();
      if (!words.length && found.includes(chosen)) listbox.mark(found.indexOf(chosen));
      else list.scrollTop = 0;
      G.say(hits.length ? `${hits.length} 个${label}` : "没有结果");
    }

    function browse() {
      if (!list.hidden || input.disabled) return;
      input.select();
      show("");
    }

    input.addEventListener("input", () => {
      clear.hidden = !input.value;
      arrow.hidden = !!input.value;
      show(input.value);
    });
    input.addEventListener("click", browse);
    arrow.addEventListener("click", () => {
      input.focus();
      browse();
    });
    input.addEventListener("blur", () => setTimeout(() => document.activeElement !== input && settle(), 150));
    input.addEventListener("keydown", (event) => {
      const isOpen = !list.hidden;
      if (event.key === "Enter" && isOpen && listbox.count) choose(found[Math.max(listbox.active, 0)]);
      else if (event.key === "Escape" && isOpen) settle();
      else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !isOpen) browse();
      else if (!listbox.arrows(event)) return;
      event.preventDefault();
    });

    return {
      box, list,
      offer(items, placeholder) {
        all = items;
        input.placeholder = placeholder;
        input.disabled = arrow.disabled = false;
      },
      withhold(placeholder) {
        all = [];
        chosen = null;
        settle();
        input.placeholder = placeholder;
        input.disabled = arrow.disabled = true;
      },
    };
  }

  G.chooser = { make };
})(window.Gridmap);
