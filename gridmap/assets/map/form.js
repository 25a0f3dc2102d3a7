// A form made from a layer's schema: types, required, choices, units, ranges, help; faults in Chinese at the field.
"use strict";
(function (G) {
  let serial = 0;

  function rangeWords(field) {
    const has = (value) => value !== null && value !== undefined;
    if (has(field.minimum) && has(field.maximum)) return `${field.minimum} 至 ${field.maximum}`;
    if (has(field.minimum)) return `不小于 ${field.minimum}`;
    if (has(field.maximum)) return `不大于 ${field.maximum}`;
    return "";
  }

  // --- one control -----------------------------------------------------------------------------------------
  function choiceControl(options, id) {
    return G.h("select", { class: "gm-input", id }, G.h("option", { value: "", text: "(未填)" }), options.map(([value, title]) => G.h("option", { value, text: title })));
  }

  function control(field, id) {
    switch (field.type) {
      case "choice":
        return choiceControl(field.choices.map((one) => [one.value, one.title]), id);
      case "boolean":
        return choiceControl([["true", "是"], ["false", "否"]], id);
      case "integer":
      case "number":
        return G.h("input", { class: "gm-input", id, type: "text", inputmode: field.type === "integer" ? "numeric" : "decimal", autocomplete: "off" });
      case "date":
        return G.h("input", { class: "gm-input", id, type: "date" });
      case "datetime":
        return G.h("input", { class: "gm-input", id, type: "datetime-local" });
      default:
        return field.max_length > 100
          ? G.h("textarea", { class: "gm-input", id, rows: "2", maxlength: String(field.max_length) })
          : G.h("input", { class: "gm-input", id, type: "text", maxlength: String(field.max_length || 500), autocomplete: "off" });
    }
  }

  // --- values to text and back --------------------------------------------------------------------------------
  function toControl(field, value) {
    if (value === null || value === undefined) return "";
    if (field.type === "boolean") return value ? "true" : "false";
    if (field.type === "date") return String(value).slice(0, 10);
    if (field.type === "datetime") return G.minute(new Date(value)).replace(" ", "T");
    return String(value);
  }

  // {value} or {fault}
  function fromControl(field, text) {
    const raw = text.trim();
    if (raw === "") return field.required ? { fault: "必填" } : { value: null };
    switch (field.type) {
      case "boolean":
        return { value: raw === "true" };
      case "integer":
        if (!/^[+-]?\d+$/.test(raw)) return { fault: "应为整数" };
        return inRange(field, Number(raw));
      case "number":
        if (!/^[+-]?(\d+\.?\d*|\.\d+)$/.test(raw)) return { fault: "应为数字" };
        return inRange(field, Number(raw));
      case "datetime": {
        const at = G.fromWall(raw);
        return isNaN(at) ? { fault: "应为日期和时间" } : { value: G.rfc3339(at) };
      }
      case "text":
        return field.pattern && !field.soft && !matches(field.pattern, raw)
          ? { fault: `格式不符${field.format ? ",应为 " + field.format : ""}` }
          : { value: raw };
      default:
        return { value: raw };
    }
  }

  function inRange(field, value) {
    const low = field.minimum !== null && field.minimum !== undefined && value < field.minimum;
    const high = field.maximum !== null && field.maximum !== undefined && value > field.maximum;
    return (low || high) && !field.soft ? { fault: `应为 ${rangeWords(field)}` } : { value };
  }

  function matches(pattern, text) {
    try {
      return new RegExp(`^(?:${pattern})$`).test(text);
    } catch {
      // A pattern of the server's dialect that browsers do not know: the server will say.
      return true;
    }
  }

  function coreFields(layer) {
    return [
      { name: "code", title: "编码", type: "text", required: layer.code_required, pattern: layer.code_pattern, format: layer.code_format, max_length: 60 },
      { name: "name", title: "名称", type: "text", required: false, max_length: 100 },
    ];
  }

  // One field by itself: {element, read() → {value} or {fault}, tell(fault)}.
  function single(layer, name, value, label) {
    const field = [...coreFields(layer), ...layer.fields].find((one) => one.name === name);
    const id = `gm-s${++serial}`;
    const input = control(field, id);
    input.value = toControl(field, value);
    input.setAttribute("aria-label", label);
    const fault = G.h("span", { class: "gm-fault", role: "alert" });
    return {
      element: G.h("span", { class: "gm-single" }, input, fault),
      read: () => fromControl(field, input.value),
      tell: (text) => (fault.textContent = text),
    };
  }

  /*
   * The form's element, with:
   *   values()    {field: value} of all fields, or null when something is wrong (shown at the field)
   *   raw()       what stands in the controls, for a draft
   *   fill(raw)   put a draft back
   *   suggest(name, value)   fill one field that nobody has touched; somebody about to type there types over it
   *   fault(name, text)  show what the server found
   */
  function make(layer, properties, { onChange } = {}) {
    const fields = [...coreFields(layer), ...layer.fields];
    const prefix = `gm-f${++serial}`;
    const controls = new Map();
    const faults = new Map();
    const touched = new Set();
    const form = G.h("form", { class: "gm-form", novalidate: true, autocomplete: "off" });

    for (const field of fields) {
      const id = `${prefix}-${field.name}`;
      const input = control(field, id);
      input.value = toControl(field, properties[field.name]);
      input.name = field.name;
      const hint = [field.help, field.unit && `单位:${field.unit}`, rangeWords(field) && `范围:${rangeWords(field)}`, field.format && `格式:${field.format}`]
        .filter(Boolean).join(" · ");
      const fault = G.h("p", { class: "gm-fault", id: `${id}-fault`, role: "alert" });
      input.setAttribute("aria-describedby", `${id}-hint ${id}-fault`);
      if (field.required) input.setAttribute("aria-required", "true");
      const changed = () => {
        touched.add(field.name);
        setFault(field.name, "");
        if (onChange) onChange();
      };
      input.addEventListener("input", changed);
      input.addEventListener("change", changed);
      controls.set(field.name, { field, input });
      faults.set(field.name, fault);
      form.append(
        G.h("div", { class: "gm-form-row" },
          G.h("label", { class: "gm-label", for: id }, field.title, field.required && G.h("span", { class: "gm-required", text: "必填" })),
          input,
          G.h("p", { class: "gm-hint", id: `${id}-hint`, text: hint }),
          fault,
        ),
      );
    }

    function setFault(name, text) {
      const place = faults.get(name);
      if (!place) return false;
      place.textContent = text;
      const { input } = controls.get(name);
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      return true;
    }

    function values() {
      const result = {};
      let first = null;
      for (const [name, { field, input }] of controls) {
        const read = fromControl(field, input.value);
        setFault(name, read.fault ? `${field.title}:${read.fault}` : "");
        if (read.fault) first = first || input;
        else result[name] = read.value;
      }
      if (first) {
        first.focus();
        first.scrollIntoView({ block: "center" });
        return null;
      }
      return result;
    }

    return {
      element: form,
      values,
      fault: setFault,
      raw: () => Object.fromEntries([...controls].map(([name, { input }]) => [name, input.value])),
      fill(raw) {
        for (const [name, { input }] of controls) if (name in raw) input.value = raw[name];
      },
      suggest(name, value) {
        const { input } = controls.get(name);
        if (touched.has(name) || input.value) return;
        input.value = value;
        if (document.activeElement === input) input.select();
      },
      focus: () => controls.values().next().value.input.focus(),
    };
  }

  // Only what differs from `properties`; a missing value and an empty one are the same.
  function changes(values, properties) {
    const result = {};
    for (const [name, value] of Object.entries(values)) {
      const before = properties[name] === undefined || properties[name] === "" ? null : properties[name];
      const isSameTime = typeof value === "string" && typeof before === "string" && /^\d{4}-.*T/.test(value) && sameMinute(value, before);
      if (!G.same(value, before) && !isSameTime) result[name] = value;
    }
    return result;
  }

  // The control shows minutes: a value that differs only below a minute was not touched.
  const sameMinute = (a, b) => Math.floor(new Date(a) / 60000) === Math.floor(new Date(b) / 60000);

  G.form = { make, single, changes };
})(window.Gridmap);
