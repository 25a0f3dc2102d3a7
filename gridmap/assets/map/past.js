// The map as it stood: a slider over the district's history. Nothing can be edited in the past.
"use strict";
(function (G) {
  const SECOND = 1000;
  let at = null;
  let first = 0;
  let last = 0;
  let commits = [];
  let parts = null;

  const bar = () => document.getElementById("gm-time");
  const refuse = () => G.toast("正在查看过去的状态,不能编辑。请先点“回到现在”。", { kind: "warn", key: "past" });

  async function toggle() {
    if (!bar().hidden) return close();
    if (G.edit.isBusy()) return G.edit.remind();
    try {
      const answer = await G.api.timeline();
      commits = answer.commits;
      // The very first state is the one after the first commit.
      first = answer.first ? Date.parse(answer.first) : Date.now();
      last = Date.parse(answer.now);
    } catch (error) {
      return G.toast(error.message, { kind: "bad" });
    }
    // On a small screen the panel of an element would cover it.
    if (window.innerWidth < 900) G.select.close();
    open();
  }

  function open() {
    const range = G.h("input", { type: "range", class: "gm-range-input", min: String(Math.ceil(first / SECOND)), max: String(Math.floor(last / SECOND)), step: "1", id: "gm-time-range", "aria-label": "时间" });
    const exact = G.h("input", { type: "datetime-local", class: "gm-input", id: "gm-time-exact", "aria-label": "截至的时间", step: "1" });
    const who = G.h("p", { class: "gm-hint", id: "gm-time-who", role: "status" });
    range.value = range.max;
    const text = (time) => (range.setAttribute("aria-valuetext", G.minute(time)), (exact.value = G.wall(time)));
    text(new Date(last));
    range.addEventListener("input", () => text(new Date(Number(range.value) * SECOND)));
    range.addEventListener("change", () => go(new Date(Number(range.value) * SECOND)));
    exact.addEventListener("change", () => exact.value && go(G.fromWall(exact.value)));
    const button = (id, icon, title, run) => G.h("button", { class: "gm-icon-button", type: "button", id, title, "aria-label": title, on: { click: run } }, G.icon(icon));
    parts = { range, exact, who, text };
    G.replace(bar(),
      G.h("div", { class: "gm-time-row" },
        button("gm-time-previous", "previous", "上一次更新之前", () => step(-1)),
        range,
        button("gm-time-next", "next", "下一次更新", () => step(1))),
      G.h("div", { class: "gm-time-row" },
        G.h("span", { class: "gm-bar-label", text: "截至" }), exact, who,
        G.h("button", { class: "gm-button", type: "button", id: "gm-compare", on: { click: () => G.compare.open(at) } }, G.icon("compare", 18), "对比两个日期"),
        G.h("button", { class: "gm-button gm-button-primary", type: "button", id: "gm-now", text: "回到现在", on: { click: close } })));
    bar().hidden = false;
    document.body.classList.add("gm-time-open");
    range.focus();
    G.emit("layout");
  }

  // From one commit's state to the next; the newest is the present.
  function step(direction) {
    const whole = (time) => Math.ceil(Date.parse(time) / SECOND) * SECOND;
    const times = [...new Set(commits.map((one) => whole(one.at)))].sort((one, other) => one - other);
    const shown = at ? times.filter((one) => one <= Date.parse(at)).length : times.length;
    const next = shown + direction;
    if (next >= times.length) go(new Date(last));
    else if (next >= 1) go(new Date(times[next - 1]));
    else go(new Date(Math.ceil(first / SECOND) * SECOND));
  }

  function go(time) {
    if (isNaN(time)) return;
    const clipped = new Date(Math.min(Math.max(time.getTime(), Math.ceil(first / SECOND) * SECOND), last));
    const isNow = clipped.getTime() >= last;
    parts.range.value = String(clipped.getTime() / SECOND);
    parts.text(clipped);
    const newest = commits.find((one) => Date.parse(one.at) <= clipped.getTime());
    parts.who.textContent = newest ? `最近一次更新:${newest.actor_name} ${G.timeText(newest.at)},${newest.layers.join("、")} ${newest.count} 个` : "";
    set(isNow ? null : clipped.toISOString());
  }

  function set(next) {
    if (next === at) return;
    at = next;
    document.body.classList.toggle("gm-past", !!at);
    document.getElementById("gm-live").hidden = !!at;
    document.getElementById("gm-as-of").hidden = !!at;
    const banner = document.getElementById("gm-past-banner");
    banner.hidden = !at;
    if (at) G.replace(banner, G.icon("clock", 18), G.h("span", { text: `您看到的是 ${G.timeText(at)} 的状态,不能编辑` }), G.h("button", { class: "gm-button gm-button-small", type: "button", text: "回到现在", on: { click: close } }));
    if (at) G.say(`地图已切换到 ${G.timeText(at)} 的状态`);
    G.select.close();
    G.tiles.setTime(at);
    G.emit("past", at);
  }

  function close() {
    const wasOpen = !bar().hidden;
    bar().hidden = true;
    bar().replaceChildren();
    document.body.classList.remove("gm-time-open");
    G.compare.close();
    set(null);
    const opener = document.getElementById("gm-open-time");
    if (wasOpen && opener) opener.focus();
    G.emit("layout");
  }

  G.past = {
    toggle, close, refuse, go,
    get at() {
      return at;
    },
    get first() {
      return first;
    },
  };
})(window.Gridmap);
