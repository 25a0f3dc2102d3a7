// The ground that this person answers for: its outline on the map, and the way there.
"use strict";
(function (G) {
  const LOOK = { interactive: false, pmIgnore: true, snapIgnore: true, pane: "gm-mask", fill: false };
  let outline = null;
  // Its polygons as lists of rings of [lon, lat]; null while nobody knows.
  let ground = null;

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
    ground = geometry && (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates);
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

  // By the even-odd rule, which knows holes too.
  function isInside([x, y], rings) {
    let inside = false;
    for (const ring of rings) {
      for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
        const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
        if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
      }
    }
    return inside;
  }

  const places = (coordinates) => (typeof coordinates[0] === "number" ? [coordinates] : coordinates.flatMap(places));

  // Whether a shape plainly leaves the own ground, by its corners; what the server says in the end counts.
  function leaves(geometry) {
    if (!ground || !isLimited()) return false;
    return places(geometry.coordinates).some((place) => !ground.some((rings) => isInside(place, rings)));
  }

  // A border that moved may be one of the own area's.
  G.on("grid-saved", draw);

  G.area = { draw, go, leaves };
})(window.Gridmap);
