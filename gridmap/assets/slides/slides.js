// The slides of a story, put in order by dragging: with a mouse, a finger or a pen, by ↑ ↓, or by the arrow keys.
// A component of Streamlit's: it is told the slides, and tells which was opened or the whole order that is wanted.
"use strict";
(function () {
  const list = document.getElementById("slides");
  const EDGE = 36; // so near to an end of the list, in pixels, it scrolls while something is held
  let told = null; // what the page said last
  let held = null; // the row in the hand
  let waiting = null; // an order that was sent and not answered yet, and by which number
  let next = null; // the order that is wanted after that
  let opening = null; // the slide to open after that
  let sent = 0;

  const post = (type, data) => window.parent.postMessage({ isStreamlitMessage: true, type, ...data }, "*");
  const tell = (fact) => {
    sent += 1;
    const n = `${Date.now()}.${sent}`;
    post("streamlit:setComponentValue", { value: { ...fact, n }, dataType: "json" });
    return n;
  };
  const rows = () => [...list.children];
  const order = () => rows().map((one) => one.dataset.id);
  const isSame = (one, other) => one.length === other.length && one.every((id, at) => id === other[at]);

  // --- what is shown ------------------------------------------------------------------------------------------
  function make(name, tag, words, more = {}) {
    const one = document.createElement(tag);
    one.className = name;
    one.textContent = words;
    if (tag === "button") one.type = "button";
    for (const [key, value] of Object.entries(more)) one.setAttribute(key, value);
    return one;
  }

  function row(slide) {
    const one = document.createElement("li");
    one.dataset.id = slide.id;
    one.classList.toggle("is-open", slide.id === told.open);
    one.classList.toggle("is-fixed", !told.may_change);
    const handle = make("handle", "button", "⠿", { title: "按住拖动,或用上下方向键" });
    handle.addEventListener("pointerdown", (event) => take(one, event));
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      step(one, by);
    });
    const title = make("title", "button", "", { title: "在地图上看,并修改这一页", "aria-expanded": String(slide.id === told.open) });
    title.append(make("words", "span", ""), ...slide.badges.map((words) => make("badge", "span", words)));
    title.addEventListener("click", () => open(slide.id));
    const steps = [["↑", "上移", -1], ["↓", "下移", 1]].map(([arrow, words, by]) => {
      const button = make("step", "button", arrow, { title: words, "data-by": String(by) });
      button.addEventListener("click", () => step(one, by));
      return button;
    });
    one.append(handle, title, ...steps);
    return one;
  }

  // Numbers, and which steps are at an end.
  function number() {
    const all = rows();
    all.forEach((one, at) => {
      const title = told.slides.find((slide) => slide.id === one.dataset.id).title;
      one.querySelector(".words").textContent = `${at + 1}. ${title}`;
      one.querySelector(".handle").setAttribute("aria-label", `移动第 ${at + 1} 页:${title}`);
      for (const button of one.querySelectorAll(".step")) {
        const by = Number(button.dataset.by);
        button.disabled = !all[at + by];
        button.setAttribute("aria-label", `${by < 0 ? "上移" : "下移"}第 ${at + 1} 页:${title}`);
      }
    });
  }

  function draw() {
    const focus = document.activeElement && document.activeElement.closest("li");
    const part = focus && [...focus.children].indexOf(document.activeElement);
    const top = list.scrollTop;
    list.replaceChildren(...told.slides.map(row));
    number();
    list.scrollTop = top;
    if (focus) {
      const again = rows().find((one) => one.dataset.id === focus.dataset.id);
      if (again) again.children[part].focus();
    }
    size();
    document.body.dataset.order = String(told.base);
  }

  function size() {
    const content = rows().reduce((sum, one) => sum + one.offsetHeight + 6, 0);
    post("streamlit:setFrameHeight", { height: Math.min(Math.max(content, 52), told.most_height) });
  }

  // --- the order ----------------------------------------------------------------------------------------------
  function want() {
    // one at a time, as the page hears only the last of what is told quickly; each is based on the one before
    if (waiting) next = order();
    else if (!isSame(order(), told.slides.map((one) => one.id))) send(told.base);
  }

  function send(base, wanted = order()) {
    waiting = { order: wanted };
    waiting.n = tell({ kind: "order", order: waiting.order, base });
    document.body.dataset.waiting = "";
  }

  function open(id) {
    opening = waiting ? id : null;
    if (!waiting) tell({ kind: "open", id });
  }

  function arrange(ids) {
    const all = new Map(rows().map((one) => [one.dataset.id, one]));
    list.append(...ids.filter((id) => all.has(id)).map((id) => all.get(id)));
    number();
  }

  function say(one) {
    const at = rows().indexOf(one);
    document.getElementById("say").textContent = `第 ${at + 1} 页,共 ${rows().length} 页`;
  }

  function step(one, by) {
    const other = rows()[rows().indexOf(one) + by];
    if (!other) return;
    // the other one moves: whatever has the focus keeps it
    if (by < 0) one.after(other);
    else one.before(other);
    one.scrollIntoView({ block: "nearest" });
    number();
    say(one);
    want();
  }

  // --- dragging -----------------------------------------------------------------------------------------------
  function take(one, event) {
    if (event.button || held || !told.may_change) return;
    const handle = event.currentTarget;
    held = { one, before: order(), y: event.clientY };
    handle.setPointerCapture(event.pointerId);
    one.classList.add("is-held");
    const move = (moved) => {
      held.y = moved.clientY;
      place();
    };
    const cancel = () => end(false);
    const drop = () => end(true);
    const key = (pressed) => pressed.key === "Escape" && cancel();
    const timer = setInterval(scroll, 16);
    function end(isDropped) {
      clearInterval(timer);
      for (const [name, run] of [["pointermove", move], ["pointerup", drop], ["pointercancel", cancel]]) handle.removeEventListener(name, run);
      document.removeEventListener("keydown", key);
      one.classList.remove("is-held");
      if (!isDropped) arrange(held.before);
      held = null;
      number();
      if (isDropped) say(one);
      if (late) show(late, isDropped ? order() : null);
      else if (isDropped) want();
    }
    for (const [name, run] of [["pointermove", move], ["pointerup", drop], ["pointercancel", cancel]]) handle.addEventListener(name, run);
    document.addEventListener("keydown", key);
  }

  // The others make room, so that the row in the hand never leaves the page and keeps the pointer.
  function place() {
    const { one, y } = held;
    const middle = (row) => (row.getBoundingClientRect().top + row.getBoundingClientRect().bottom) / 2;
    for (let other = one.previousElementSibling; other && y < middle(other); other = one.previousElementSibling) one.after(other);
    for (let other = one.nextElementSibling; other && y > middle(other); other = one.nextElementSibling) one.before(other);
    number();
  }

  function scroll() {
    const { top, bottom } = list.getBoundingClientRect();
    const by = held.y < top + EDGE ? -8 : held.y > bottom - EDGE ? 8 : 0;
    if (!by) return;
    list.scrollTop += by;
    place();
  }

  // --- what the page says -------------------------------------------------------------------------------------
  let late = null; // said while a row was in the hand

  // `hand` is the order in which a row was dropped meanwhile.
  function show(args, hand = null) {
    if (held) return (late = args);
    late = null;
    if (waiting && args.heard !== waiting.n) return (told = args); // the page ran for another reason
    const ids = args.slides.map((one) => one.id);
    const isOurs = waiting ? isSame(ids, waiting.order) : told && told.base === args.base;
    // what somebody else did meanwhile is told by the page: it sees that the base is an older one
    const base = isOurs || !told ? args.base : told.base;
    const wanted = hand || next;
    told = args;
    waiting = next = null;
    delete document.body.dataset.waiting;
    draw();
    if (wanted && !isSame(wanted, ids)) {
      arrange(wanted);
      send(base, wanted);
    } else if (opening) open(opening);
    return null;
  }

  window.addEventListener("message", (event) => {
    if (event.source === window.parent && event.data.type === "streamlit:render") show(event.data.args);
  });
  window.addEventListener("resize", () => told && size());
  post("streamlit:componentReady", { apiVersion: 1 });
})();
