// GCJ-02: the same formula as gridmap/domain/crs.py, and a raster layer that puts such tiles in their true place.
"use strict";
(function (G) {
  const A = 6378245.0;
  const EE = 0.00669342162296594323;
  const BOX = { west: 72.004, south: 0.8293, east: 137.8347, north: 55.8271 };
  const { sin, cos, sqrt, abs, PI } = Math;

  function shift(lon, lat) {
    const x = lon - 105.0;
    const y = lat - 35.0;
    const root = sqrt(abs(x));
    const common = ((20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI)) * 2.0) / 3.0;
    const north =
      -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common +
      ((20.0 * sin(y * PI) + 40.0 * sin((y / 3.0) * PI)) * 2.0) / 3.0 +
      ((160.0 * sin((y / 12.0) * PI) + 320.0 * sin((y * PI) / 30.0)) * 2.0) / 3.0;
    const east =
      300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common +
      ((20.0 * sin(x * PI) + 40.0 * sin((x / 3.0) * PI)) * 2.0) / 3.0 +
      ((150.0 * sin((x / 12.0) * PI) + 300.0 * sin((x / 30.0) * PI)) * 2.0) / 3.0;
    const phi = (lat * PI) / 180;
    const magic = 1.0 - EE * sin(phi) ** 2;
    const meridian = (A * (1.0 - EE)) / (magic * sqrt(magic));
    const parallel = (A / sqrt(magic)) * cos(phi);
    return [(east / parallel) * (180 / PI), (north / meridian) * (180 / PI)];
  }

  // GCJ-02 [lon, lat] of a WGS 84 position; outside the box (its border is inside) the position itself.
  function wgs84ToGcj02(lon, lat) {
    if (lon < BOX.west || lon > BOX.east || lat < BOX.south || lat > BOX.north) return [lon, lat];
    const [east, north] = shift(lon, lat);
    return [lon + east, lat + north];
  }

  /*
   * Tiles whose pictures are in GCJ-02, drawn where the ground really is.
   *
   * The shift differs from place to place, within an eighth of a tile's width by less than 0.2 pixels at any
   * zoom. So each quarter of our tile is put together from the up to four source tiles under it, moved by the
   * shift at its centre, rounded to a whole pixel so that pictures stay sharp: never a pixel off.
   */
  const PARTS = 2;
  const ShiftedTiles = L.GridLayer.extend({
    options: { url: "", maxNativeZoom: 18, className: "gm-raster" },

    initialize(options) {
      L.setOptions(this, options);
      this._pictures = new Map();
    },

    createTile(coords, done) {
      const size = this.getTileSize().x;
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = size;
      const ctx = canvas.getContext("2d");
      const jobs = [];
      for (let i = 0; i < PARTS; i++) {
        for (let j = 0; j < PARTS; j++) jobs.push(...this._part(ctx, coords, i, j));
      }
      Promise.all(jobs).then(() => done(null, canvas));
      return canvas;
    },

    _part(ctx, coords, i, j) {
      const size = this.getTileSize().x;
      const side = size / PARTS;
      const shift = this.shiftOf(coords, i, j);
      const from = { x: coords.x * size + i * side + shift.x, y: coords.y * size + j * side + shift.y };
      const jobs = [];
      for (let x = Math.floor(from.x / size); x * size < from.x + side; x++) {
        for (let y = Math.floor(from.y / size); y * size < from.y + side; y++) {
          const at = { x: x * size - from.x + i * side, y: y * size - from.y + j * side };
          jobs.push(
            this._picture({ x, y, z: coords.z }).then((picture) => {
              if (!picture) return;
              ctx.save();
              ctx.beginPath();
              ctx.rect(i * side, j * side, side, side);
              ctx.clip();
              ctx.drawImage(picture, at.x, at.y, size, size);
              ctx.restore();
            }),
          );
        }
      }
      return jobs;
    },

    // Whole pixels from a place on part (i, j) of our tile to the same place in the source's own world.
    shiftOf(coords, i, j) {
      const size = this.getTileSize().x;
      const world = size * 2 ** coords.z;
      const project = (lon, lat) => {
        const s = sin((lat * PI) / 180);
        return [((lon + 180) / 360) * world, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * PI)) * world];
      };
      const middle = [(coords.x + (i + 0.5) / PARTS) * size, (coords.y + (j + 0.5) / PARTS) * size];
      const lon = (middle[0] / world) * 360 - 180;
      const lat = (Math.atan(Math.sinh(PI * (1 - (2 * middle[1]) / world))) * 180) / PI;
      const moved = project(...wgs84ToGcj02(lon, lat));
      return { x: Math.round(moved[0] - middle[0]), y: Math.round(moved[1] - middle[1]) };
    },

    _picture(tile) {
      const key = `${tile.z}/${tile.x}/${tile.y}`;
      if (!this._pictures.has(key)) {
        if (this._pictures.size > 200) this._pictures.delete(this._pictures.keys().next().value);
        const picture = new Promise((resolve) => {
          const image = new Image();
          image.onload = () => resolve(image);
          image.onerror = () => {
            this._pictures.delete(key);
            resolve(null);
          };
          image.src = L.Util.template(this.options.url, { ...tile, s: "" });
        });
        this._pictures.set(key, picture);
      }
      return this._pictures.get(key);
    },
  });

  G.datum = {
    wgs84ToGcj02,
    ShiftedTiles,
    PARTS,
    // The raster layer for one of the deployment's tile sources.
    rasterLayer(source) {
      const options = { maxNativeZoom: source.max_zoom || 18, maxZoom: 20, className: "gm-raster", pane: "gm-ground" };
      if (source.datum === "gcj02") return new ShiftedTiles({ ...options, url: source.url });
      return L.tileLayer(source.url, options);
    },
  };
})(window.Gridmap);
