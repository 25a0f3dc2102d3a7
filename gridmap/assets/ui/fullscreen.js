// Full screen for the pages that are shown to a room: a button, the key F, and Escape.
// Where the browser refuses, the page at least takes the whole window.
"use strict";
(function () {
  const CLASS = "gm-full";
  const listeners = [];
  // Whether it is the button or the key F that changes it now: a presentation ends by Escape alone.
  let isToggling = false;
  const isOn = () => document.body.classList.contains(CLASS);

  function tell() {
    for (const button of document.querySelectorAll("[data-gridmap-fullscreen]")) {
      button.textContent = isOn() ? "退出全屏" : "全屏(F)";
      button.setAttribute("aria-pressed", String(isOn()));
    }
    listeners.slice().forEach((run) => run(isOn(), isToggling));
    // maps and charts measure the room they have
    window.dispatchEvent(new Event("resize"));
  }

  function set(on) {
    if (on === isOn()) return;
    document.body.classList.toggle(CLASS, on);
    tell();
  }

  async function enter() {
    try {
      await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    } catch {
      // refused or unknown here: the class alone hides what surrounds the page
    }
    set(true);
  }

  async function leave() {
    if (document.fullscreenElement) await document.exitFullscreen().catch(() => {});
    set(false);
  }

  const canShow = () => !!document.querySelector("[data-gridmap-fullscreen], .gm-scene");
  async function toggle() {
    isToggling = true;
    if (isOn()) await leave();
    else if (canShow()) await enter();
    isToggling = false;
  }

  document.addEventListener("fullscreenchange", () => !document.fullscreenElement && set(false));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-gridmap-fullscreen]")) toggle();
    // a click on one of these leads to something shown full screen, and only a click may ask for that
    if (event.target.closest('[class*="st-key-gm_full_"] button')) enter();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest && event.target.closest("input, textarea, select, [contenteditable=true], [role=combobox]")) return;
    if (event.key.toLowerCase() === "f") toggle();
    else if (event.key === "Escape" && isOn()) leave();
  });

  // For the map's frame, whose keys do not reach this page. `on` answers how to stop listening.
  window.gridmapFullscreen = {
    toggle, enter, leave, isOn,
    on(run) {
      listeners.push(run);
      return () => listeners.splice(listeners.indexOf(run), 1);
    },
  };
})();
