// A list under a box to type in: arrows walk through it, a click chooses. Search and the choice of a grid share it.
"use strict";
(function (G) {
  /*
   * Makes `input` (a combobox) and `list` (a listbox) one; `onPick(i)` hears which option a click or a finger chose.
   * Answers {open, close, draw, mark, arrows}, the number of options and the place of the marked one (-1: none).
   */
  function make({ input, list, onPick }) {
    let options = [];
    let active = -1;

    function close() {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }

    function open() {
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
    }

    // What the list shows; the options among it are those with that role.
    function draw(children) {
      active = -1;
      input.removeAttribute("aria-activedescendant");
      G.replace(list, children);
      options = [...list.querySelectorAll("[role=option]")];
      options.forEach((one, i) => {
        one.id = `${list.id}-${i}`;
        one.setAttribute("aria-selected", "false");
        // The box keeps the focus: else the list would be gone before the click.
        one.addEventListener("mousedown", (event) => {
          event.preventDefault();
          onPick(i);
        });
      });
    }

    function mark(i) {
      active = (i + options.length) % options.length;
      options.forEach((one, n) => one.setAttribute("aria-selected", String(n === active)));
      options[active].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", options[active].id);
    }

    // Whether the key was one of the arrows, which then has been obeyed.
    function arrows(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !options.length) return false;
      mark(active < 0 && step < 0 ? options.length - 1 : active + step);
      return true;
    }

    return {
      open, close, draw, mark, arrows,
      get count() {
        return options.length;
      },
      get active() {
        return active;
      },
    };
  }

  G.listbox = { make };
})(window.Gridmap);
