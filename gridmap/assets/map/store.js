// What this browser keeps for an account: its view, and everything typed that the server has not confirmed.
// localStorage is written at once, so that even a crash right after a key stroke loses nothing.
"use strict";
(function (G) {
  const PREFIX = "gridmap:";
  // Drafts and unsent edits live under this word, so that signing out can wipe them and nothing else.
  const WORK = "work";
  const VIEW = "view";

  const key = (kind, name) => `${PREFIX}${kind}:${G.app.user.username}:${name}`;

  function read(kind, name, otherwise) {
    try {
      const text = localStorage.getItem(key(kind, name));
      return text === null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  }

  function write(kind, name, value) {
    try {
      if (value === null) localStorage.removeItem(key(kind, name));
      else localStorage.setItem(key(kind, name), JSON.stringify(value));
      return true;
    } catch {
      // Storage is full or forbidden: say so once, since a reload would lose what is typed.
      if (kind === WORK && !write.warned) {
        write.warned = true;
        G.toast("浏览器存储空间不足,未保存的内容在刷新后会丢失,请尽快保存。", { kind: "warn" });
      }
      return false;
    }
  }

  // Forget everything unsaved of one account, or of all: called when somebody signs out.
  function wipe(username = null) {
    const start = username === null ? `${PREFIX}${WORK}:` : `${PREFIX}${WORK}:${username}:`;
    for (const name of Object.keys(localStorage)) if (name.startsWith(start)) localStorage.removeItem(name);
  }

  G.store = {
    view: (name, otherwise) => read(VIEW, name, otherwise),
    setView: (name, value) => write(VIEW, name, value),
    work: (name, otherwise) => read(WORK, name, otherwise),
    setWork: (name, value) => write(WORK, name, value),
    workKey: (name) => key(WORK, name),
    wipe,
  };
})(window.Gridmap);
