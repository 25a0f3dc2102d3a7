// Every write goes through here: kept in this browser until the server's receipt, sent once, tried again when the
// network comes back. Drafts of forms and shapes lie beside them.
"use strict";
(function (G) {
  const RETRY_MS = 8000;
  const OP = "op:";
  const DRAFT = "draft:";
  let timer = 0;
  let isFlushing = false;
  // Being sent, or waiting for an answer of the person: a round of retries leaves them alone.
  const underway = new Set();

  // --- what is kept --------------------------------------------------------------------------------------
  function list(kind) {
    const start = G.store.workKey(kind);
    const found = [];
    for (const name of Object.keys(localStorage)) {
      if (!name.startsWith(start)) continue;
      try {
        found.push(JSON.parse(localStorage.getItem(name)));
      } catch {
        localStorage.removeItem(name);
      }
    }
    return found.sort((a, b) => (a.at < b.at ? -1 : 1));
  }

  const put = (op) => {
    G.store.setWork(OP + op.id, op);
    G.emit("pending");
  };
  const drop = (op) => {
    G.store.setWork(OP + op.id, null);
    G.emit("pending");
  };

  const drafts = {
    list: () => list(DRAFT),
    get: (id) => G.store.work(DRAFT + id, null),
    put(draft) {
      G.store.setWork(DRAFT + draft.id, { ...draft, at: draft.at || new Date().toISOString() });
      G.emit("pending");
    },
    drop(id) {
      G.store.setWork(DRAFT + id, null);
      G.emit("pending");
    },
  };

  // A write: kind is create, patch, delete, verify, restore, undo or grid. Its id is the idempotency key too.
  function operation(kind, layer, { element = null, etag = null, body = {}, base = null, title = "" } = {}) {
    return { id: G.uuid(), kind, layer, element, etag, body, base, title, at: new Date().toISOString(), tries: 0, state: "sending" };
  }

  // --- sending --------------------------------------------------------------------------------------------
  function perform(op) {
    const { api } = G;
    switch (op.kind) {
      case "create":
        return api.create(op.layer, op.body, op.id);
      case "patch":
        return api.merge(op.layer, op.element, op.body, op.etag, op.id);
      case "grid":
        return api.grid(op.layer, op.body.what, op.body.order);
      case "delete":
        return api.remove(op.layer, op.element, op.etag, op.body.reason, op.id);
      default:
        return api.act(op.layer, op.element, op.kind, { etag: op.etag, json: op.body });
    }
  }

  // Whether a refused repetition had in truth been stored the first time, its receipt lost on the way.
  function hasLanded(op, problem) {
    if (op.tries < 2 || op.kind === "patch") return null;
    if (op.kind === "delete" && problem.status === 404) return { feature: null, warnings: [], etag: null };
    // A grid that was split or merged is gone, and its new ones are on the map.
    if (op.kind === "grid" && problem.status === 404) return { changed: [], created: [], retired: [], warnings: [], sequence: null };
    const theirs = problem.body.theirs;
    if (problem.status !== 412 || !theirs || theirs.properties.updated_by !== G.app.user.username) return null;
    if (op.base && theirs.properties.revision !== op.base.properties.revision + 1) return null;
    if (op.kind === "grid") return { changed: [theirs], created: [], retired: [], warnings: [], sequence: null };
    return { feature: theirs, warnings: [], etag: problem.body.etag || `"${theirs.properties.revision}"` };
  }

  // Later edits of the same element, made while this one waited, go on top of it: unless somebody else wrote
  // between, whose work they have not seen. Those stay on what they saw, and the server merges or asks.
  function rebase(op, receipt) {
    if (!receipt.etag || !op.element || receipt.isUnchanged) return;
    if (G.api.revisionOf(receipt.etag) !== G.api.revisionOf(op.etag) + 1) return;
    for (const other of list(OP)) {
      if (other.element === op.element && other.etag === op.etag && other.id !== op.id) put({ ...other, etag: receipt.etag, base: receipt.feature || other.base });
    }
  }

  function done(op, receipt) {
    drop(op);
    rebase(op, receipt);
    G.emit(op.kind === "grid" ? "grid-saved" : "saved", { op, receipt });
    return { receipt };
  }

  /*
   * Send one write. Answers {receipt} when stored, {queued: true} when it waits for the network, {cancelled: true}
   * when a person chose not to; throws the Problem when the server refused for a reason the person must mend.
   */
  async function send(op, options = {}) {
    underway.add(op.id);
    try {
      return await attempt(op, options);
    } finally {
      underway.delete(op.id);
    }
  }

  async function attempt(op, options = {}) {
    op.tries += 1;
    op.state = "sending";
    put(op);
    try {
      return done(op, await perform(op));
    } catch (error) {
      return refused(op, error, options);
    }
  }

  async function refused(op, error, { isRetry = false, isFromList = false }) {
    const { Problem, Unreachable } = G.api;
    if (error instanceof Unreachable) {
      wait(op, "等待网络恢复");
      return { queued: true };
    }
    if (!(error instanceof Problem)) {
      drop(op);
      throw error;
    }
    if (error.status === 401) {
      wait(op, "等待重新登录");
      if (await G.dialogs.signInAgain()) return attempt(op, { isRetry, isFromList });
      return { queued: true };
    }
    const landed = hasLanded(op, error);
    if (landed) return done(op, landed);
    const isConflict = error.status === 412 || (error.status === 409 && "is_deleted" in error.body);
    if (isConflict) {
      put({ ...op, state: "conflict", message: "与他人的修改冲突" });
      // Found while nobody was looking: it waits in the list until the person opens it.
      if (isRetry) return { conflict: true };
      return settle(op, error, isFromList);
    }
    if (error.status === 503 || error.status === 429 || error.status >= 500) {
      if (isRetry) {
        wait(op, error.message);
        return { queued: true };
      }
      drop(op);
      throw error;
    }
    if (isRetry) {
      put({ ...op, state: "refused", message: error.message });
      return { refused: true };
    }
    drop(op);
    throw error;
  }

  // A person chooses between theirs and mine; nothing was written before that.
  async function settle(op, problem, isFromList) {
    const choice = await G.conflict.resolve(op, problem);
    if (choice.what === "mine") {
      drop(op);
      return send({ ...op, ...choice.change, id: G.uuid(), tries: 0 }, { isFromList });
    }
    // Without an editor behind it, the list is the only place that has it: it stays there.
    if (choice.what === "cancel" && isFromList) return { cancelled: true };
    drop(op);
    if (choice.what === "theirs") {
      G.emit("took-theirs", { op });
      return { receipt: null, tookTheirs: true };
    }
    return { cancelled: true };
  }

  function wait(op, message) {
    put({ ...op, state: "waiting", message });
    clearTimeout(timer);
    timer = setTimeout(flush, RETRY_MS);
  }

  // Try everything that waits, oldest first.
  async function flush() {
    if (isFlushing) return;
    isFlushing = true;
    clearTimeout(timer);
    try {
      for (const op of list(OP)) {
        if (!["waiting", "sending"].includes(op.state) || underway.has(op.id)) continue;
        // The element may have been rebased by an earlier one in this round.
        const fresh = G.store.work(OP + op.id, null);
        if (!fresh) continue;
        const answer = await send(fresh, { isRetry: true });
        if (answer.queued) break;
        if (answer.conflict || answer.refused) {
          G.toast(`“${op.title}”未能保存,请在“待发送”中处理。`, { kind: "warn", action: { title: "查看", run: openList } });
        }
      }
    } finally {
      isFlushing = false;
    }
  }

  // --- the visible list ----------------------------------------------------------------------------------------
  const STATES = { waiting: "待发送", sending: "发送中", conflict: "有冲突", refused: "被拒绝" };

  function row(title, state, note, buttons) {
    return G.h("li", { class: "gm-pending-row" },
      G.h("div", { class: "gm-pending-words" }, G.h("strong", { text: title }), G.h("span", { class: "gm-badge", text: state }), G.h("p", { class: "gm-hint", text: note })),
      G.h("div", { class: "gm-pending-buttons" }, buttons),
    );
  }

  async function openList() {
    const body = G.h("div");
    const close = { run: () => {} };
    const redraw = () => {
      const ops = list(OP);
      const texts = drafts.list();
      const rows = [
        ...ops.map((op) =>
          row(op.title, STATES[op.state] || op.state, `${G.timeText(op.at)} ${op.message || ""}`, [
            button(op.state === "conflict" ? "处理" : "发送", "primary", async () => {
              close.run();
              await again(op);
            }),
            button("放弃", "", async () => {
              if (await G.dialogs.confirm("放弃这项修改?", `“${op.title}”尚未保存到服务器,放弃后无法找回。`, "放弃")) {
                drop(op);
                redraw();
              }
            }),
          ]),
        ),
        ...texts.map((draft) =>
          row(draft.title, "草稿", `${G.timeText(draft.at)} 填写后未保存`, [
            button("继续编辑", "primary", () => {
              close.run();
              G.edit.resume(draft);
            }),
            button("放弃", "", async () => {
              if (await G.dialogs.confirm("放弃这份草稿?", `“${draft.title}”填写的内容将被清除。`, "放弃")) {
                G.edit.abandon(draft.id);
                redraw();
              }
            }),
          ]),
        ),
      ];
      G.replace(body, rows.length ? G.h("ul", { class: "gm-pending-list" }, rows) : G.h("p", { text: "没有待发送的修改,也没有草稿。" }));
    };
    redraw();
    await G.dialogs.ask({
      title: "待发送与草稿",
      content: [G.h("p", { class: "gm-hint", text: "这些内容保存在本机浏览器中,服务器确认后自动清除。" }), body],
      buttons: [{ title: "关闭", value: true }],
      onOpen: (dialog, finish) => (close.run = () => finish(true)),
    });
  }

  const button = (text, kind, click) => G.h("button", { class: `gm-button ${kind ? "gm-button-" + kind : ""}`, type: "button", text, on: { click } });

  async function again(op) {
    try {
      const answer = await send({ ...op, tries: op.tries }, { isFromList: true });
      if (answer.queued) G.toast("仍然连接不到服务器,稍后自动重试。", { kind: "warn" });
    } catch (error) {
      put({ ...op, state: "refused", message: error.message });
      if (error.body && error.body.may_propose && (await G.proposals.offer(op, error))) return drop(op);
      G.toast(error.message, { kind: "bad" });
    }
  }

  G.drafts = drafts;
  G.pending = { operation, send, flush, openList, list: () => list(OP), count: () => list(OP).length };
})(window.Gridmap);
