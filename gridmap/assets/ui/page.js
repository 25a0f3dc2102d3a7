// What Streamlit's pages lack: a way out that leaves nothing behind, and copying without TLS.
"use strict";
(function () {
  // Drafts and unsent edits of this account that the map keeps in this browser.
  const unsent = (user) => Object.keys(localStorage).filter((name) => name.startsWith(`gridmap:work:${user}:`));

  function dialog(text, confirm) {
    return new Promise((resolve) => {
      const box = document.createElement("dialog");
      box.className = "gm-dialog";
      const words = document.createElement("p");
      words.textContent = text;
      const buttons = document.createElement("div");
      for (const [title, value] of [["取消", false], [confirm, true]]) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = value ? "gm-button gm-danger" : "gm-button";
        button.textContent = title;
        button.addEventListener("click", () => box.close(value ? "yes" : ""));
        buttons.append(button);
      }
      box.append(words, buttons);
      box.addEventListener("close", () => {
        box.remove();
        resolve(box.returnValue === "yes");
      });
      document.body.append(box);
      box.showModal();
    });
  }

  async function signOut(button) {
    const base = button.dataset.gridmapSignout;
    const kept = unsent(button.dataset.user);
    if (kept.length) {
      const text = `本机还有 ${kept.length} 项未保存到服务器的修改或草稿,退出后将被清除。`;
      if (!(await dialog(text, "清除并退出"))) return;
    }
    button.disabled = true;
    try {
      await fetch(`${base}/api/session`, { method: "DELETE", credentials: "same-origin", headers: { "X-Gridmap": "1" } });
    } catch {
      button.disabled = false;
      await dialog("无法连接服务器,尚未退出。请检查网络后重试。", "知道了");
      return;
    }
    for (const name of kept) localStorage.removeItem(name);
    window.location.assign(`${base}/signin`);
  }

  async function copy(button) {
    const text = button.dataset.gridmapCopy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without TLS there is no clipboard for scripts: the older way still works.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.textContent = "已复制";
  }

  document.addEventListener("click", (event) => {
    const copier = event.target.closest("[data-gridmap-copy]");
    if (copier) copy(copier);
    const button = event.target.closest("[data-gridmap-signout]");
    if (button && !button.disabled) signOut(button);
  });
})();
