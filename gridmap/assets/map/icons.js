// Icons of the tools: strokes on a 24 × 24 board.
"use strict";
(function (G) {
  const PATHS = {
    search: "M10.5 4a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M15.4 15.4L20 20",
    layers: "M12 4l9 5-9 5-9-5zM3 13.5l9 5 9-5",
    close: "M6 6l12 12M18 6L6 18",
    plus: "M12 5v14M5 12h14",
    minus: "M5 12h14",
    down: "M6 9l6 6 6-6",
    left: "M15 6l-6 6 6 6",
    undo: "M9 7L4 12l5 5M4 12h10a5 5 0 0 1 0 10h-3",
    edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
    move: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
    shape: "M5 6l13-1 1 12-9 3-6-7zM5 6m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M18 5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M19 17m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
    trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10 11v5M14 11v5",
    check: "M5 12.5l5 5L19 7",
    locate: "M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v4M12 18v4M2 12h4M18 12h4",
    grid: "M4 4h16v16H4zM4 12h16M12 4v16",
    clock: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v5l4 2",
    warn: "M12 4l9 16H3zM12 10v5M12 17.5v.5",
    mine: "M12 3l8 3v6c0 5-3.500 8-8 9-4.500-1-8-4-8-9V6zM8.500 12l2.500 2.500 4.500-5",
    home: "M4 11l8-7 8 7M6 10v10h12V10",
    send: "M4 12l16-8-6 16-3-6z",
    base: "M4 5l5-2 6 2 5-2v16l-5 2-6-2-5 2zM9 3v16M15 5v16",
    people: "M9 11a3.5 3.5 0 1 0 0-7a3.5 3.5 0 0 0 0 7M2.5 20c0-4 3-6 6.5-6s6.5 2 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5c2.300.800 3.500 2.500 3.500 5.500",
    split: "M4 4h16v16H4zM12 2v20M9 5l3-3 3 3",
    merge: "M4 4h16v16H4zM4 12h4M16 12h4M10 12h4",
    number: "M9 4L7 20M17 4l-2 16M4 9h16M3 15h16",
    compare: "M8 4H4v16h4M16 4h4v16h-4M12 2v20",
    camera: "M4 8h4l2-3h4l2 3h4v11H4zM12 10a3.500 3.500 0 1 0 0 7a3.500 3.500 0 0 0 0-7",
    previous: "M15 6l-6 6 6 6M6 6v12",
    next: "M9 6l6 6-6 6M18 6v12",
    restore: "M4 12a8 8 0 1 0 3-6.2L4 8M4 3v5h5",
  };
  const NS = "http://www.w3.org/2000/svg";

  G.icon = function (name, size = 22) {
    const svg = document.createElementNS(NS, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("width", size);
    svg.setAttribute("height", size);
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "gm-icon");
    const path = document.createElementNS(NS, "path");
    path.setAttribute("d", PATHS[name]);
    svg.append(path);
    return svg;
  };
})(window.Gridmap);
