// Questions that need an answer before anything else goes on.
"use strict";
(function (G) {
  // Shows `content` with buttons; answers the value of the one pressed, or null for Esc.
  function ask({ title, content = [], buttons, kind = "plain", onOpen = null }) {
    return new Promise((resolve) => {
      let answer = null;
      const dialog = G.h("dialog", { class: `gm-dialog gm-dialog-${kind}`, "aria-labelledby": "gm-dialog-title" });
      const finish = (value) => {
        answer = value;
        dialog.close();
      };
      const row = buttons.map((one) =>
        G.h("button", {
          class: `gm-button ${one.kind ? "gm-button-" + one.kind : ""}`,
          type: "button",
          text: one.title,
          data: { answer: String(one.value) },
          on: {
            click: async () => {
              if (one.check && !(await one.check(finish))) return;
              finish(one.value);
            },
          },
        }),
      );
      G.fill(dialog, [
        G.h("h2", { id: "gm-dialog-title", text: title }),
        G.h("div", { class: "gm-dialog-body" }, content),
        G.h("div", { class: "gm-dialog-buttons" }, row),
      ]);
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(answer);
      });
      document.body.append(dialog);
      dialog.showModal();
      if (onOpen) onOpen(dialog, finish);
    });
  }

  const confirm = async (title, text, yes, kind = "danger") =>
    (await ask({
      title,
      content: G.h("p", { text }),
      buttons: [
        { title: "取消", value: false },
        { title: yes, value: true, kind },
      ],
    })) === true;

  // Why: an optional sentence that goes into the history; `reason` is what was typed before.
  async function confirmWithReason(title, text, yes, reason = "") {
    const input = G.h("input", { type: "text", class: "gm-input", maxlength: "200", id: "gm-reason", value: reason });
    const answer = await ask({
      title,
      content: [
        G.h("p", { text }),
        G.h("label", { class: "gm-label", for: "gm-reason", text: "原因(可不填,写入历史)" }),
        input,
      ],
      buttons: [
        { title: "取消", value: false },
        { title: yes, value: true, kind: "danger" },
      ],
    });
    return answer === true ? { reason: input.value.trim() } : null;
  }

  // The session ended while somebody was working: sign in again here, so that nothing on the screen is lost.
  let asking = null;
  let declined = -Infinity;
  const PEACE_MS = 60000;

  function signInAgain() {
    asking = asking || askToSignIn().finally(() => (asking = null));
    return asking;
  }

  // Every tile that is refused would ask again: whoever said “later” is left alone for a while.
  function signedOut() {
    if (performance.now() - declined > PEACE_MS) signInAgain();
  }

  async function askToSignIn() {
    const name = G.app.user ? G.app.user.username : "";
    const password = G.h("input", { type: "password", class: "gm-input", id: "gm-password", autocomplete: "current-password" });
    const fault = G.h("p", { class: "gm-fault", role: "alert" });
    const submit = async () => {
      fault.textContent = "";
      try {
        await G.api.signIn(name, password.value);
        return true;
      } catch (error) {
        fault.textContent = error.message;
        password.select();
        return false;
      }
    };
    const answer = await ask({
      title: "登录已过期,请重新登录",
      content: [
        G.h("p", { text: `账号 ${name}。您填写的内容仍保留在本页,登录后继续。` }),
        G.h("label", { class: "gm-label", for: "gm-password", text: "密码" }),
        password,
        fault,
      ],
      buttons: [
        { title: "稍后", value: false },
        { title: "登录", value: true, kind: "primary", check: submit },
      ],
      onOpen: (dialog, finish) => {
        password.focus();
        password.addEventListener("keydown", async (event) => {
          if (event.key === "Enter" && (await submit())) finish(true);
        });
      },
    });
    if (answer !== true) declined = performance.now();
    G.emit("signed-in", answer === true);
    return answer === true;
  }

  G.dialogs = { ask, confirm, confirmWithReason, signInAgain, signedOut };
})(window.Gridmap);
