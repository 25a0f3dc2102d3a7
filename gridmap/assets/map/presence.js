// Who else is here: this map says where it is, shows the others, and says so before two people collide.
"use strict";
(function (G) {
  const BEAT_MS = 15000;
  // From here on the middle of the map says which grid somebody works in.
  const NEAR_ZOOM = 13;
  const client = G.uuid();
  let people = [];
  let timer = 0;

  const others = () => people.filter((one) => one.key !== client);
  const nameOf = (one) => (one.is_me ? `${one.display_name}(您的另一窗口)` : one.display_name);
  const here = (id) => others().filter((one) => one.id === id);

  function place() {
    const { map } = G.app;
    const { work } = G.edit;
    const open = work && work.base ? { layer: work.layer.id, id: work.base.id, editing: true } : null;
    const { current } = G.select;
    const shown = open || (current && !current.isGone ? { layer: current.layer.id, id: current.id } : null);
    const middle = map.getZoom() >= NEAR_ZOOM ? map.getCenter() : null;
    return { client, ...shown, ...(middle && { lon: middle.lng, lat: middle.lat }) };
  }

  async function beat() {
    clearTimeout(timer);
    timer = setTimeout(beat, BEAT_MS);
    // A tab that nobody looks at is nobody's place of work; and without a network there is nobody to tell.
    if (document.hidden || G.app.isOnline === false || G.past.at) return;
    try {
      take((await G.api.presence(place())).people);
    } catch {
      // Said again at the next beat.
    }
  }

  const soon = G.debounce(beat, 400);

  function take(list) {
    people = list;
    draw();
  }

  // --- what is shown ----------------------------------------------------------------------------------------
  // A place in a panel that tells who else is on this element, and keeps up with them.
  function slot(id) {
    const box = G.h("p", { class: "gm-presence", role: "status", hidden: true, data: { element: id } });
    fill(box);
    return box;
  }

  function fill(box) {
    const found = here(box.dataset.element);
    box.hidden = !found.length;
    const editing = found.filter((one) => one.editing);
    box.classList.toggle("gm-presence-editing", editing.length > 0);
    const words = [
      editing.length && `${editing.map(nameOf).join("、")} 正在修改该要素`,
      found.length > editing.length && `${found.filter((one) => !one.editing).map(nameOf).join("、")} 正在查看该要素`,
    ].filter(Boolean);
    const text = words.length ? `${words.join(";")}。` : "";
    if (box.textContent !== text) G.replace(box, G.icon("people", 18), G.h("span", { text }));
  }

  function myGrid() {
    const mine = people.find((one) => one.key === client);
    return mine && mine.grid ? mine.grid.code : null;
  }

  function draw() {
    document.querySelectorAll(".gm-presence").forEach(fill);
    const chip = document.getElementById("gm-people");
    if (!chip) return;
    const found = others();
    const grid = myGrid();
    const near = grid ? found.filter((one) => one.grid && one.grid.code === grid).length : 0;
    chip.hidden = !found.length;
    const words = near ? `同网格 ${near} 人` : `在线 ${found.length} 人`;
    G.replace(chip, G.icon("people", 18), G.h("span", { class: "gm-wide-only", text: words }), G.h("span", { class: "gm-narrow-only", text: String(near || found.length) }));
    chip.title = found.map((one) => `${nameOf(one)}${one.grid ? ` · ${one.grid.name || one.grid.code}` : ""}`).join("\n");
    chip.setAttribute("aria-label", `${words}(共 ${near || found.length}),查看是谁`);
    chip.classList.toggle("gm-people-near", near > 0);
  }

  async function list() {
    const grid = myGrid();
    let chosen = null;
    const rows = others().map((one) => {
      const layer = one.layer && G.app.layers[one.layer];
      const where = [one.grid && (one.grid.name || one.grid.code), grid && one.grid && one.grid.code === grid && "与您同一网格"].filter(Boolean).join(" · ");
      const what = layer ? `${one.editing ? "正在修改" : "正在查看"}${layer.title}“${one.title}”` : "";
      return G.h("li", { class: "gm-pending-row" },
        G.h("div", { class: "gm-pending-words" }, G.h("strong", { text: nameOf(one) }), G.h("p", { class: "gm-hint", text: [where, what].filter(Boolean).join(";") || "正在看全区" })),
        layer && G.h("button", { class: "gm-button", type: "button", text: "去看看", on: { click: (event) => { chosen = one; event.target.closest("dialog").close(); } } }));
    });
    await G.dialogs.ask({
      title: "现在同在地图上的人",
      content: rows.length ? G.h("ul", { class: "gm-pending-list" }, rows) : G.h("p", { text: "现在没有别人。" }),
      buttons: [{ title: "关闭", value: true }],
    });
    if (!chosen) return;
    if (G.edit.isBusy()) return G.edit.remind();
    G.select.open(chosen.layer, chosen.id, { fly: true });
  }

  function start() {
    if (!G.app.user.permissions.includes("edit_elements")) return;
    beat();
    G.on("people", take);
    G.on("selected", soon);
    G.on("editing", soon);
    G.on("online", (isOn) => isOn && soon());
    G.app.map.on("moveend", soon);
    document.addEventListener("visibilitychange", () => !document.hidden && soon());
    window.addEventListener("pagehide", () => G.api.leave(client).catch(() => {}));
  }

  G.presence = { start, slot, list, others, client };
})(window.Gridmap);
