// Looks at one document the way a careful reader would. Answers a list of {kind, where, text, detail}.
// Runs inside page.evaluate, once per frame; `options` = {minContrast, minTarget, ignore: [selectors]}.
(options) => {
  const findings = [];
  const viewWidth = document.documentElement.clientWidth;
  const ignored = (el) => options.ignore.some((selector) => el.closest(selector));

  const path = (el) => {
    const steps = [];
    for (let e = el; e && e.nodeType === 1 && steps.length < 4; e = e.parentElement) {
      const name = e.id ? `#${e.id}` : e.dataset && e.dataset.testid ? `[${e.dataset.testid}]` : "";
      const cls = !name && typeof e.className === "string" && e.className ? "." + e.className.trim().split(/\s+/)[0] : "";
      steps.unshift(e.tagName.toLowerCase() + name + cls);
    }
    return steps.join(" > ");
  };
  const words = (text) => text.trim().replace(/\s+/g, " ").slice(0, 60);
  const report = (kind, el, detail, text) =>
    findings.push({ kind, where: path(el), text: words(text ?? el.textContent ?? ""), detail });

  // --- what is to be seen ---------------------------------------------------------------------------
  const visible = (el) => {
    if (!el.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    const box = el.getBoundingClientRect();
    if (box.width < 3 || box.height < 3) return false; // text for screen readers alone
    const clip = getComputedStyle(el).clipPath;
    return !(clip && clip.startsWith("inset(50%"));
  };
  // Whether an ancestor shows this element only after scrolling, so that lying outside is no fault.
  const scrollerOf = (el) => {
    for (let e = el.parentElement; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (/(auto|scroll)/.test(style.overflowX + style.overflowY) && e !== document.scrollingElement) return e;
    }
    return null;
  };
  const clipperOf = (el) => {
    for (let e = el; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (/(hidden|clip)/.test(style.overflowX) || /(hidden|clip)/.test(style.overflowY)) return e;
    }
    return null;
  };

  // --- colour ---------------------------------------------------------------------------------------
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const cache = new Map();
  const rgba = (css) => {
    if (!cache.has(css)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = "rgba(0,0,0,0)";
      pen.fillStyle = css;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      cache.set(css, [r, g, b, a / 255]);
    }
    return cache.get(css);
  };
  const over = (top, below) => {
    const a = top[3];
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(1);
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const contrast = (a, b) => {
    const [hi, lo] = [luminance(a), luminance(b)].sort((p, q) => q - p);
    return (hi + 0.05) / (lo + 0.05);
  };
  // The colour behind an element, or null where a picture lies there and no single colour can be named.
  const backgroundOf = (el) => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none" && !/^linear-gradient\(rgba?\([^)]*, 0\)/.test(style.backgroundImage)) return null;
      const colour = rgba(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    let result = [255, 255, 255, 1];
    for (const layer of layers.reverse()) result = over(layer, result);
    return result;
  };
  const opacityOf = (el) => {
    let product = 1;
    for (let e = el; e; e = e.parentElement) product *= parseFloat(getComputedStyle(e).opacity);
    return product;
  };
  const disabled = (el) => !!el.closest("[disabled], [aria-disabled=true], fieldset:disabled");
  const checkContrast = (el, css, text) => {
    if (disabled(el)) return;
    const below = backgroundOf(el);
    if (!below) return;
    const ink = rgba(css);
    const ratio = contrast(over([ink[0], ink[1], ink[2], ink[3] * opacityOf(el)], below), below);
    if (ratio < options.minContrast - 0.005) {
      const show = (c) => "#" + c.slice(0, 3).map((v) => Math.round(v).toString(16).padStart(2, "0")).join("");
      report("contrast", el, `${ratio.toFixed(2)}:1, ${css} on ${show(below)}`, text);
    }
  };

  // --- glyphs ---------------------------------------------------------------------------------------
  const size = 24;
  const board = document.createElement("canvas");
  board.width = board.height = size * 2;
  const brush = board.getContext("2d", { willReadFrequently: true });
  const drawn = (character, font) => {
    brush.clearRect(0, 0, size * 2, size * 2);
    brush.font = `${size}px ${font}`;
    brush.textBaseline = "top";
    brush.fillText(character, 4, 4);
    return brush.getImageData(0, 0, size * 2, size * 2).data.join();
  };
  const seen = new Set();
  const boxes = new Map(); // what this font stack draws for a character that does not exist
  const checkGlyphs = (el, text) => {
    if (/\uFFFD|锟斤拷|烫烫烫|Ã.|â€/.test(text)) report("garbled", el, "text was decoded with the wrong encoding", text);
    const font = getComputedStyle(el).fontFamily;
    if (/Material Symbols|Material Icons/.test(font)) return; // ligatures: their letters are names
    for (const character of text) {
      const key = font + character;
      // Private-use characters belong to icon fonts; white space draws nothing by right.
      if (seen.has(key) || /[\s\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{M}]/u.test(character) || /^[\x21-\x7e]$/.test(character)) continue;
      seen.add(key);
      if (!boxes.has(font)) boxes.set(font, drawn("\u0378", font));
      if (drawn(character, font) === boxes.get(font)) report("glyph", el, `no font has ${character}`, text);
    }
  };

  // --- one pass over the text -----------------------------------------------------------------------
  const ownText = (el) =>
    [...el.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("").trim();
  const skipTags = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "OPTION", "TITLE", "DESC", "METADATA"]);
  for (const el of document.body.querySelectorAll("*")) {
    if (skipTags.has(el.tagName) || ignored(el)) continue;
    const text = ownText(el);
    if (text && visible(el)) {
      const style = getComputedStyle(el);
      const isSvg = el instanceof SVGElement;
      checkContrast(el, isSvg ? style.fill : style.color, text);
      checkGlyphs(el, text);
      if (!isSvg) checkClipping(el, style, text);
    }
    if ((el.tagName === "INPUT" || el.tagName === "TEXTAREA") && el.placeholder && !el.value && visible(el)) {
      checkContrast(el, getComputedStyle(el, "::placeholder").color, el.placeholder);
      if (el.scrollWidth > el.clientWidth + 1) report("clipped", el, "placeholder is longer than its field", el.placeholder);
    }
    if (el.tagName === "IMG" && el.complete && el.naturalWidth === 0 && visible(el)) {
      report("image", el, `picture did not load: ${el.src.slice(0, 80)}`, el.alt);
    }
  }

  function checkClipping(el, style, text) {
    // The rectangle that the letters really take, against whatever cuts it off.
    const range = document.createRange();
    range.selectNodeContents(el);
    const ink = range.getBoundingClientRect();
    const cut = clipperOf(el);
    if (cut) {
      const frame = cut.getBoundingClientRect();
      const cs = getComputedStyle(cut);
      const outX = /(hidden|clip)/.test(cs.overflowX) && (ink.right > frame.right + 1.5 || ink.left < frame.left - 1.5);
      const outY = /(hidden|clip)/.test(cs.overflowY) && (ink.bottom > frame.bottom + 3 || ink.top < frame.top - 3);
      const spoken = el.closest("[title], [aria-label]");
      const told = cs.textOverflow === "ellipsis" && spoken && (spoken.title || spoken.getAttribute("aria-label"));
      // A scroller between text and frame brings the rest into view.
      const scroller = scrollerOf(el);
      if ((outX || outY) && !told && !(scroller && cut.contains(scroller) && scroller !== cut)) {
        report("clipped", el, `text ${Math.round(ink.width)}×${Math.round(ink.height)} in ${Math.round(frame.width)}×${Math.round(frame.height)}`, text);
      }
    }
    if (!scrollerOf(el) && !cut && ink.right > viewWidth + 1.5 && style.position !== "fixed") {
      report("overflow", el, `reaches ${Math.round(ink.right)} of ${viewWidth} px`, text);
    }
  }

  // --- the page as a whole ----------------------------------------------------------------------------
  const root = document.scrollingElement;
  if (root && root.scrollWidth > root.clientWidth + 1 && getComputedStyle(root).overflowX !== "hidden") {
    report("overflow", root, `page is ${root.scrollWidth} px wide in ${root.clientWidth} px`, document.title);
  }

  // --- what fingers aim at ----------------------------------------------------------------------------
  const interactive =
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=tab], [role=switch]," +
    "[role=checkbox], [role=radio], [role=menuitem], [role=option], [role=slider], [onclick]";
  for (const el of document.body.querySelectorAll(interactive)) {
    if (ignored(el) || disabled(el) || !visible(el)) continue;
    const style = getComputedStyle(el);
    if (style.pointerEvents === "none") continue;
    // A link inside a sentence is as high as its line (WCAG 2.5.8 exempts it).
    if (el.tagName === "A" && style.display === "inline" && ownText(el.parentElement)) continue;
    // Keys for a screen reader's user; a finger uses the thing around them.
    const target = el.closest("label") || (el.labels && el.labels.length && /^(checkbox|radio|file)$/.test(el.type) ? el.labels[0] : el);
    const boxes = [target, el].map((e) => e.getBoundingClientRect());
    // An outer pad may carry the touch: an input inside a bordered field counts with the field.
    const pad = el.matches("input, textarea, select") ? el.closest("[data-baseweb], [data-testid]") : null;
    if (pad && pad.getBoundingClientRect().height < 120) boxes.push(pad.getBoundingClientRect());
    const width = Math.max(...boxes.map((b) => b.width));
    const height = Math.max(...boxes.map((b) => b.height));
    if (Math.min(width, height) < options.minTarget - 0.5) {
      report("target", el, `${Math.round(width)}×${Math.round(height)} px`, el.getAttribute("aria-label") || el.title || el.textContent || el.value);
    }
  }
  return findings;
}
