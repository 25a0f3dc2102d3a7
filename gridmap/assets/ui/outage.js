// While the server is away, Streamlit's dialog makes the whole page inert. The map says so itself, keeps what is
// typed and goes on: over a map, that dialog is closed as soon as it comes, before it is seen.
"use strict";
(function () {
  const MAP = 'iframe[title="streamlit_folium.st_folium"]';
  const TITLES = ["Connection error", "连接中断"];

  function look() {
    const box = document.querySelector(".stDialog section[role=dialog]");
    const title = box && box.querySelector("h2");
    if (!title || !TITLES.includes(title.textContent.trim()) || !document.querySelector(MAP)) return;
    const close = box.querySelector("button");
    box.closest(".stDialog").style.visibility = "hidden";
    // The dialog's own handlers are there only after this turn.
    setTimeout(() => close.click());
  }

  new MutationObserver(look).observe(document.documentElement, { subtree: true, childList: true });
})();
