// The server's routes. Every failure is one of two things: a Problem (the server said no, and why) or Unreachable.
"use strict";
(function (G) {
  const PATIENCE_MS = 25000;

  // The server refused; `body` is its problem document.
  class Problem extends Error {
    constructor(status, body) {
      super((body && body.detail) || `服务器返回错误(${status})`);
      this.status = status;
      this.body = body || {};
      this.title = this.body.title || "请求无法完成";
    }
  }

  // No answer came: the network or the server is away.
  class Unreachable extends Error {
    constructor() {
      super("连接不到服务器,请检查网络。");
    }
  }

  async function readProblem(answer) {
    let body = null;
    try {
      body = await answer.json();
    } catch {
      body = null;
    }
    return new Problem(answer.status, body);
  }

  function reachable(yes) {
    if (G.app.isOnline === yes) return;
    G.app.isOnline = yes;
    G.emit("online", yes);
  }

  async function request(method, path, { query, json, file, headers = {}, type = "application/json", signal, keepalive = false } = {}) {
    const url = new URL(G.root + path, window.location.origin);
    for (const [key, value] of Object.entries(query || {})) {
      if (value !== undefined && value !== null && value !== "") url.searchParams.set(key, value);
    }
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    const give = () => patience.abort();
    if (signal) signal.addEventListener("abort", give);
    const all = { Accept: "application/json, application/geo+json, application/problem+json", ...headers };
    // The mark that a page of another site cannot send along.
    if (method !== "GET") all["X-Gridmap"] = "1";
    if (json !== undefined) all["Content-Type"] = type;
    if (file) all["Content-Type"] = file.type;
    let answer;
    try {
      answer = await fetch(url, {
        method,
        headers: all,
        body: file || (json === undefined ? undefined : JSON.stringify(json)),
        credentials: "same-origin",
        cache: "no-store",
        keepalive,
        signal: patience.signal,
      });
    } catch (error) {
      if (signal && signal.aborted) throw error;
      reachable(false);
      throw new Unreachable();
    } finally {
      clearTimeout(timer);
      if (signal) signal.removeEventListener("abort", give);
    }
    // A proxy that answers for a server that is down is no answer of ours.
    if ([502, 504].includes(answer.status)) {
      reachable(false);
      throw new Unreachable();
    }
    reachable(true);
    if (!answer.ok) {
      const problem = await readProblem(answer);
      if (answer.status === 401) G.emit("signed-out");
      throw problem;
    }
    const kind = answer.headers.get("Content-Type") || "";
    const body = answer.status === 204 || !kind.includes("json") ? null : await answer.json();
    return { status: answer.status, headers: answer.headers, body };
  }

  const get = async (path, query, signal) => (await request("GET", path, { query, signal })).body;

  // What every write answers: the stored element, its ETag, warnings to read.
  function receipt(answer) {
    const body = answer.body || {};
    const feature = body.feature || (body.type === "Feature" ? body : null);
    let warnings = body.warnings || [];
    const header = answer.headers.get("X-Gridmap-Warnings");
    if (header && !warnings.length) {
      try {
        warnings = JSON.parse(decodeURIComponent(header));
      } catch {
        warnings = [];
      }
    }
    const etag = answer.headers.get("ETag") || body.etag || (feature && `"${feature.properties.revision}"`);
    return { feature, etag, warnings, people: body.people || {}, sequence: body.sequence, merged: body.merged_fields || [], isUnchanged: !!body.is_unchanged };
  }

  const revisionOf = (etag) => Number(String(etag || '"0"').replace(/\D/g, ""));
  const post = async (path, json) => (await request("POST", path, { json })).body;
  const item = (layer, id) => `/ogc/collections/${encodeURIComponent(layer)}/items${id ? "/" + encodeURIComponent(id) : ""}`;
  const element = (layer, id, rest = "") => `/api/elements/${encodeURIComponent(layer)}/${encodeURIComponent(id)}${rest}`;
  const reasonHeader = (reason) => (reason ? { "X-Gridmap-Reason": encodeURIComponent(reason) } : {});

  G.api = {
    Problem,
    Unreachable,
    request,
    get,
    catalogue: () => get("/api/catalogue"),
    session: () => get("/api/session"),
    signIn: (username, password) => request("POST", "/api/session", { json: { username, password } }),
    search: (q, { layers, limit = 20, grid } = {}, signal) =>
      get("/api/search", { q, layers: layers && layers.join(","), limit, grid }, signal),
    // With `at`, what was there then.
    identify: (lon, lat, tolerance, layers, signal, at) =>
      get("/api/identify", { lon, lat, tolerance, layers: layers.join(","), at }, signal),
    element: (layer, id, signal) => get(element(layer, id), null, signal),
    history: (layer, id) => get(element(layer, id, "/history")),
    asOf: (layer, id, at) => get(element(layer, id, "/as-of"), { at }),
    area: () => get("/api/area"),
    grids: (layer) => get(`/api/grids/${encodeURIComponent(layer)}`),
    nextCode: async (layer) => (await get(`/api/codes/${encodeURIComponent(layer)}`)).code,
    items: (layer, query, signal) => get(item(layer), query, signal),
    create: async (layer, feature, key) =>
      receipt(await request("POST", item(layer), { json: feature, type: "application/geo+json", headers: { "Idempotency-Key": key } })),
    // Merged with what others stored since, where that can be done without asking.
    merge: async (layer, id, change, etag, key) =>
      receipt(
        await request("POST", element(layer, id, "/merge"), {
          json: { ...change, base_revision: revisionOf(etag) },
          headers: { "Idempotency-Key": key },
        }),
      ),
    remove: async (layer, id, etag, reason, key) =>
      receipt(
        await request("DELETE", item(layer, id), {
          headers: { "If-Match": etag, "Idempotency-Key": key, ...reasonHeader(reason) },
        }),
      ),
    grid: (layer, what, body) => post(`/api/grids/${encodeURIComponent(layer)}/${what}`, body),
    neighbours: (layer, id) => get(`/api/grids/${encodeURIComponent(layer)}/${encodeURIComponent(id)}/neighbours`),
    proposals: (box) => get("/api/proposals", { box }),
    proposal: (id) => get(`/api/proposals/${encodeURIComponent(id)}`),
    propose: (body) => post("/api/proposals", body),
    decide: (id, what, answer) => post(`/api/proposals/${encodeURIComponent(id)}/${what}`, { answer }),
    // Sent to its end though the page goes away.
    leave: (client) => request("DELETE", "/api/presence", { json: { client }, keepalive: true }),
    presence: (body) => post("/api/presence", body),
    timeline: (layers) => get("/api/timeline", { layers: layers && layers.join(","), limit: 200 }),
    compare: (layers, from, to) => get("/api/compare", { layers: layers.join(","), from, to }),
    photos: (layer, id) => get(element(layer, id, "/photos")),
    photoAddress: (layer, id, photo) => G.root + element(layer, id, `/photos/${encodeURIComponent(photo)}`),
    addPhoto: (layer, id, file) => request("POST", element(layer, id, "/photos"), { file }),
    removePhoto: (layer, id, photo) => request("DELETE", element(layer, id, `/photos/${encodeURIComponent(photo)}`)),
    revisionOf,
    act: async (layer, id, what, { etag, json } = {}) =>
      receipt(
        await request("POST", element(layer, id, `/${what}`), {
          json: json || {},
          headers: etag ? { "If-Match": etag } : {},
        }),
      ),
  };
})(window.Gridmap);
