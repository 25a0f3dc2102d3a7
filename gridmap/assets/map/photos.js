// Photos of an element: shown in its panel, added and deleted by those who may edit it.
"use strict";
(function (G) {
  const TYPES = ["image/jpeg", "image/png"];
  const MOST_MB = 12;

  function section(current) {
    const box = G.h("div", { class: "gm-photos", "aria-live": "polite" });
    load(box, current);
    return [G.h("h3", { text: "照片" }), box];
  }

  async function load(box, current) {
    let list;
    try {
      list = (await G.api.photos(current.layer.id, current.id)).photos;
    } catch (error) {
      G.replace(box, G.h("p", { class: "gm-hint", text: error.message }));
      return;
    }
    const again = () => load(box, current);
    const mayEdit = current.layer.may_edit && current.mayEdit && !G.past.at;
    G.replace(box,
      !list.length && G.h("p", { class: "gm-none", text: "还没有照片" }),
      G.h("ul", { class: "gm-photo-list" }, list.map((one, i) => G.h("li", {}, thumb(current, one, i, mayEdit, again)))),
      mayEdit && adder(current, again));
  }

  const source = (current, one) => G.api.photoAddress(current.layer.id, current.id, one.id);
  const words = (one) => `${one.created_by_name} · ${G.timeText(one.created_at)}`;

  function thumb(current, one, i, mayEdit, again) {
    const image = G.h("img", { src: source(current, one), alt: `照片 ${i + 1},${words(one)}`, loading: "lazy" });
    return G.h("button", { class: "gm-photo", type: "button", title: words(one), on: { click: () => enlarge(current, one, i, mayEdit, again) } }, image);
  }

  async function enlarge(current, one, i, mayEdit, again) {
    const answer = await G.dialogs.ask({
      title: `${G.titleOf(current.feature)}:照片 ${i + 1}`,
      kind: "wide",
      content: [G.h("img", { class: "gm-photo-large", src: source(current, one), alt: `照片 ${i + 1}` }), G.h("p", { class: "gm-hint", text: words(one) })],
      buttons: [mayEdit && { title: "删除照片", value: "delete", kind: "danger" }, { title: "关闭", value: true }].filter(Boolean),
    });
    if (answer !== "delete") return;
    if (!(await G.dialogs.confirm("删除这张照片?", "照片将被永久删除,不能撤销。", "删除"))) return;
    try {
      await G.api.removePhoto(current.layer.id, current.id, one.id);
      G.toast("照片已删除。", { key: "receipt" });
      again();
    } catch (error) {
      G.toast(error.message, { kind: "bad" });
    }
  }

  function adder(current, again) {
    const input = G.h("input", { type: "file", accept: TYPES.join(","), class: "gm-only-heard", tabindex: "-1", "aria-label": "选择照片文件" });
    const button = G.h("button", { class: "gm-button", type: "button", on: { click: () => input.click() } }, G.icon("camera", 18), "添加照片");
    input.addEventListener("change", async () => {
      const [file] = input.files;
      input.value = "";
      if (!file) return;
      if (!TYPES.includes(file.type)) return G.toast("只支持 JPEG 或 PNG 照片。", { kind: "warn" });
      if (file.size > MOST_MB * 2 ** 20) return G.toast(`照片超过 ${MOST_MB} MB,请缩小后再试。`, { kind: "warn" });
      button.disabled = true;
      try {
        await G.api.addPhoto(current.layer.id, current.id, file);
        G.toast("照片已保存,拍摄信息(位置、设备)已去除。", { key: "receipt" });
        again();
      } catch (error) {
        G.toast(error.message, { kind: "bad" });
      } finally {
        button.disabled = false;
      }
    });
    return [G.h("p", { class: "gm-hint", text: "照片中不要出现人脸、车牌、门牌上的姓名等个人信息。" }), button, input];
  }

  G.photos = { section };
})(window.Gridmap);
