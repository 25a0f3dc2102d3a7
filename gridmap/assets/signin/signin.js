// Signs in over the API and goes where the person wanted to go. Says in Chinese what went wrong.
"use strict";
(function () {
  const form = document.getElementById("signin");
  const { username, password } = form.elements;
  const message = document.getElementById("message");
  const submit = document.getElementById("submit");
  const reveal = document.getElementById("reveal");
  const capslock = document.getElementById("capslock");

  // The application's root: this page is its child "signin".
  const root = new URL("./", window.location.href);

  // Only a place inside the application: a link from elsewhere must not lead a fresh session away.
  function wanted() {
    const next = new URLSearchParams(window.location.search).get("next");
    try {
      const target = new URL(next || "./", root);
      const isOurs = target.origin === root.origin && target.pathname.startsWith(root.pathname);
      return isOurs && target.pathname !== window.location.pathname ? target : root;
    } catch {
      return root;
    }
  }

  function say(text, field) {
    message.textContent = text;
    message.hidden = !text;
    for (const one of [username, password]) one.setAttribute("aria-invalid", String(one === field));
    if (field) field.focus();
  }

  async function answer(response) {
    try {
      return await response.json();
    } catch {
      return {};
    }
  }

  async function signIn() {
    const response = await fetch(new URL("api/session", root), {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-Gridmap": "1" },
      body: JSON.stringify({ username: username.value.trim(), password: password.value }),
    });
    const body = await answer(response);
    if (response.ok) {
      const target = body.user && body.user.must_change_password ? new URL("account", root) : wanted();
      window.location.replace(target.href);
      return true;
    }
    password.value = "";
    say(body.detail || `登录未成功(${response.status}),请稍后再试。`, password);
    return false;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    if (!username.value.trim()) return say("请输入用户名。", username);
    if (!password.value) return say("请输入密码。", password);
    say("");
    submit.disabled = true;
    submit.textContent = "正在登录";
    let isLeaving = false;
    try {
      isLeaving = await signIn();
    } catch {
      say("无法连接服务器,请检查网络后重试。", null);
    } finally {
      if (!isLeaving) {
        submit.disabled = false;
        submit.textContent = "登录";
      }
    }
  });

  reveal.addEventListener("click", () => {
    const isShown = password.type === "text";
    password.type = isShown ? "password" : "text";
    reveal.textContent = isShown ? "显示" : "隐藏";
    reveal.setAttribute("aria-pressed", String(!isShown));
    password.focus();
  });

  form.addEventListener("keyup", (event) => {
    if (event.getModifierState) capslock.hidden = !event.getModifierState("CapsLock");
  });

  // A page that the browser brings back after "back" must not stand there with its button off.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
})();
