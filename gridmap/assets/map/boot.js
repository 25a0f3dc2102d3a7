// Loads the map's scripts side by side, in the order they stand on each other, then opens the map.
// streamlit-folium would fetch them one after the other: a second lost on every first visit.
"use strict";
window.Gridmap = window.Gridmap || {};
(function (G) {
  const here = document.currentScript.src;

  const load = (name, version) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(`${name}.js?v=${version}`, here).href;
      script.async = false; // fetched together, run in this order
      script.onload = resolve;
      script.onerror = () => reject(new Error(name));
      document.head.append(script);
    });

  function sorry() {
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    words.style.cssText = "position:fixed;inset:40% 0 auto;z-index:9999;text-align:center;font:16px sans-serif;color:#0f1726";
    words.textContent = "地图程序没有完整载入,请检查网络后刷新页面。";
    document.body.append(words);
  }

  // Called by the shell's script with the map that folium made.
  G.start = function (map, options) {
    Promise.all(options.scripts.map((name) => load(name, options.version))).then(() => G.open(map, options), sorry);
  };
})(window.Gridmap);
