// The ground that this person answers for: its outline on the map, and the way there.
"use strict";
(function (G) {
  const LOOK = { interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-mask", fill: false };
  let outline = null;

  const isLimited = () => G.app.user.permissions.includes("edit_elements") && !G.app.user.area.includes("*");

  async function draw() {
    if (!isLimited()) return;
    let geometry = null;
    try {
      geometry = (await G.api.area()).geometry;
    } catch {
      return; // a map without it is a map all the same
    }
    if (outline) outline.remove();
    outline = null;
    document.getElementById("gm-mine").hidden = !geometry;
    if (!geometry) return;
    outline = L.featureGroup([
      L.geoJSON(geometry, { ...LOOK, style: { ...LOOK, color: "#fff", weight: 7, opacity: 0.8 } }),
      L.geoJSON(geometry, { ...LOOK, style: { ...LOOK, color: G.app.style.mine, weight: 3 } }),
    ], { pmIgnore: true }).addTo(G.app.map);
  }

  function go() {
    const room = G.panels.room();
    G.app.map.fitBounds(outline.getBounds(), { paddingTopLeft: [room.left + 20, room.top + 20], paddingBottomRight: [room.right + 20, room.bottom + 20], animate: false });
    G.say("地图已移到您的责任区");
  }

  // A border that moved may be one of the own area's.
  G.on("grid-saved", draw);

  G.area = { draw, go };
})(window.Gridmap);
