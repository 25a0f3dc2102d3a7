// Which page is open, where the menu shows only a heading: on the heading of its group, on “更多” when there is no room
// for it, and beside the button that unfolds the menu of a narrow window.
"use strict";
(function () {
  const isShown = (one) => !one.closest("[inert], .rc-overflow-item-rest");

  // The part of the menu that stands for the open page and does not say so by itself.
  function heading(group) {
    const unfold = document.querySelector("[data-testid=stExpandSidebarButton]");
    const headings = [...document.querySelectorAll("[data-testid=stTopNavSection]")];
    if (!headings.length) return unfold;
    if ([...document.querySelectorAll("[data-testid=stTopNavLink][aria-current]")].some(isShown)) return null;
    const own = headings.find((one) => one.firstElementChild.textContent === group && isShown(one));
    return own || headings.find((one) => one.closest(".rc-overflow-item-rest"));
  }

  function mark() {
    const bar = document.querySelector(".gm-bar[data-page]");
    if (!bar) return;
    const { page, group } = bar.dataset;
    const here = heading(group);
    for (const one of document.querySelectorAll("[data-gm-here]")) if (one !== here) one.removeAttribute("data-gm-here");
    if (here && here.dataset.gmHere !== page) here.dataset.gmHere = page;
  }

  new MutationObserver(mark).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["aria-current", "data-page", "data-group", "inert"],
  });
})();
