// The ground everything else stands on: where the server is, making elements, saying things, formatting.
// All scripts share the namespace Gridmap; text from data only ever becomes a text node.
"use strict";
window.Gridmap = window.Gridmap || {};
(function (G) {
  // This file lies at <root>/assets/map/core.js, whatever path a proxy puts in front of the root.
  const here = document.currentScript.src;
  G.root = new URL("../..", here).pathname.replace(/\/$/, "");

  // What the application knows; filled by main.js.
  G.app = { map: null, catalogue: null, layers: {}, user: null, style: null, mode: "map" };

  // --- elements ---------------------------------------------------------------------------------------
  // h("button", {class: "x", on: {click}, text: "保存"}, child, …). There is no way to pass HTML.
  G.h = function (tag, props, ...children) {
    const el = document.createElement(tag);
    for (const [key, value] of Object.entries(props || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key === "class") el.className = value;
      else if (key === "text") el.textContent = value;
      else if (key === "on") for (const [type, run] of Object.entries(value)) el.addEventListener(type, run);
      else if (key === "data") Object.assign(el.dataset, value);
      else if (key === "style") Object.assign(el.style, value);
      else if (key in el && typeof value !== "string") el[key] = value;
      else el.setAttribute(key, value === true ? "" : value);
    }
    G.fill(el, children);
    return el;
  };

  G.fill = function (el, children) {
    for (const child of children.flat(Infinity)) {
      if (child === null || child === undefined || child === false) continue;
      el.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
    return el;
  };

  G.replace = (el, ...children) => {
    el.replaceChildren();
    return G.fill(el, children);
  };

  // --- messages between parts --------------------------------------------------------------------------
  const listeners = {};
  G.on = (name, run) => (listeners[name] = listeners[name] || []).push(run);
  G.emit = (name, detail) => {
    for (const run of listeners[name] || []) run(detail);
  };

  // --- time ---------------------------------------------------------------------------------------------
  G.debounce = (run, ms) => {
    let timer = 0;
    const later = (...args) => {
      clearTimeout(timer);
      timer = setTimeout(() => run(...args), ms);
    };
    later.cancel = () => clearTimeout(timer);
    return later;
  };

  // The wall clock of China, whatever the zone of the machine: pages, packs and logs show it too. It keeps no summer
  // time. "2026-01-31T18:05:00" from a Date, as a datetime-local control has it, and back.
  const CHINA_MS = 8 * 3600000;
  G.wall = (at) => new Date(at.getTime() + CHINA_MS).toISOString().slice(0, 19);
  G.fromWall = (text) => new Date(`${text}+08:00`);
  G.day = (at) => G.wall(at).slice(0, 10);
  G.minute = (at) => G.wall(at).slice(0, 16).replace("T", " ");
  // RFC 3339 text as a person here reads it; the text itself when it is no time.
  G.timeText = (text) => {
    if (!text) return "";
    const at = new Date(text);
    return isNaN(at) ? String(text) : G.minute(at);
  };
  G.dayText = (text) => {
    if (!text) return "";
    const at = new Date(text);
    return isNaN(at) ? String(text) : G.day(at);
  };
  // RFC 3339 from a Date.
  G.rfc3339 = (at) => at.toISOString();

  // crypto.randomUUID does not exist on plain-HTTP addresses other than loopback.
  G.uuid = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };

  // --- values of fields -----------------------------------------------------------------------------------
  G.field = (layer, name) => layer.fields.find((one) => one.name === name);
  G.fieldTitle = (layer, name) => {
    if (name === "code") return "编码";
    if (name === "name") return "名称";
    if (name === "geometry") return "位置与范围";
    const field = G.field(layer, name);
    return field ? field.title : name;
  };
  // The words for one value; an empty text for a missing one.
  G.valueText = (layer, name, value) => {
    if (value === null || value === undefined || value === "") return "";
    const field = G.field(layer, name);
    if (!field) return typeof value === "object" ? JSON.stringify(value) : String(value);
    const choice = (field.choices || []).find((one) => one.value === value);
    if (choice) return choice.title;
    if (field.type === "boolean") return value ? "是" : "否";
    if (field.type === "date") return String(value).slice(0, 10);
    if (field.type === "datetime") return G.timeText(value);
    const text = typeof value === "number" ? value.toLocaleString("zh-CN", { maximumFractionDigits: 6 }) : String(value);
    return field.unit ? `${text} ${field.unit}` : text;
  };

  G.titleOf = (feature) => feature.properties.name || feature.properties.code || "(未命名)";
  G.isSimulated = (feature) => feature.properties.source === "simulated";
  G.isOverdue = (feature) => {
    const due = feature.properties.due_at;
    return !!due && new Date(due) < new Date();
  };

  G.same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

  // --- receipts and notices ---------------------------------------------------------------------------------
  // A short message at the bottom; kind is good, warn or bad. Bad ones stay until closed.
  G.toast = function (text, { kind = "good", details = [], action = null, key = null } = {}) {
    const close = () => box.remove();
    const host = document.getElementById("gm-toasts");
    // One receipt at a time: an older one's “undo” would no longer mean what it says.
    if (key) host.querySelectorAll(`[data-key="${key}"]`).forEach((one) => one.remove());
    const box = G.h(
      "div",
      { class: `gm-toast gm-toast-${kind}`, data: key ? { key } : {}, role: kind === "bad" ? "alert" : "status" },
      G.h("div", { class: "gm-toast-words" },
        G.h("p", { text }),
        details.map((one) => G.h("p", { class: "gm-toast-detail", text: one })),
      ),
      action && G.h("button", { class: "gm-button", type: "button", text: action.title, on: { click: () => { close(); action.run(); } } }),
      G.h("button", { class: "gm-icon-button", type: "button", "aria-label": "关闭提示", on: { click: close } }, G.icon("close")),
    );
    while (host.childElementCount >= 3) host.firstElementChild.remove();
    host.append(box);
    if (kind !== "bad") setTimeout(close, details.length ? 12000 : 6000);
    return close;
  };

  // Take away what was said under a key, once it no longer holds.
  G.untoast = (key) => document.querySelectorAll(`#gm-toasts [data-key="${key}"]`).forEach((one) => one.remove());

  // What a reader of the screen hears without anything moving.
  G.say = (text) => {
    const line = document.getElementById("gm-say");
    if (line) line.textContent = text;
  };
})(window.Gridmap);
