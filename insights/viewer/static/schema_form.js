// Makes a form out of a JSON Schema: one control a field, each tied to its JSON pointer. Knows nothing of flows but that
// some fields name a step.
let count = 0;
const LONG = 1000; // letters: a field for so many has several lines
const make = (name, props = {}, ...children) => {
  const made = Object.assign(document.createElement(name), props);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

const words = (name) => {
  const text = name.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
};

// The schema without its wrapping: references followed, "or null" taken off and remembered.
export function plain(schema, defs) {
  let found = schema, optional = false, about = schema.description;
  for (let i = 0; i < 10; i += 1) {
    if (found.$ref) found = { ...defs[found.$ref.split("/").pop()], default: found.default };
    else if (found.anyOf?.some((one) => one.type === "null")) {
      optional = true;
      const rest = found.anyOf.filter((one) => one.type !== "null");
      found = rest.length === 1 ? { ...rest[0], default: found.default } : { anyOf: rest, default: found.default };
    } else break;
    about ||= found.description;
  }
  return { schema: found, optional, about };
}

// A number as people write it, with a comma or a point; anything else as it was typed: the check says what is wrong with it.
// (A field of type "number" leaves out a comma that is not the browser's own: 7,5 became 75.)
const figure = (typed) => (/^[+-]?[0-9]{1,15}([.,][0-9]{1,15})?$/.test(typed) ? Number(typed.replace(",", ".")) : typed);

const pointed = (pointer, key) => `${pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;

const isCondition = ({ anyOf }) => anyOf?.some(({ type }) => type === "string") && anyOf.some(({ type }) => type === "object");

/** Fields of an object. `steps`: names a step field may take. `change` is called after each edit, with the object changed in place. */
export function fields(schema, value, pointer, context) {
  const { schema: object } = plain(schema, context.defs);
  const required = new Set(object.required || []);
  const list = Object.entries(object.properties || {}).filter(([, one]) => one.const === undefined);
  const shown = list.map(([name, one]) => field(name, one, value, pointed(pointer, name), required.has(name), context));
  return make("div", { className: "schema-fields" }, ...shown);
}

function field(name, raw, owner, pointer, required, context) {
  const { schema, optional, about } = plain(raw, context.defs);
  const set = (given) => {
    if (given === undefined || given === "") delete owner[name];
    else owner[name] = given;
    context.change();
  };
  const value = owner[name];
  const label = context.labels.fields[name] || words(name);
  if (context.isStep(name, schema)) return labelled(label, about, pointer, choice(context.steps(), value, set, required ? "(choose one)" : "(the end)"));
  if (isCondition(schema)) return labelled(label, about, pointer, condition(value, set, context.inWords), "cart.value >= 50.00 EUR");
  const known = schema.type === "string" && context.choices(pointer);
  if (known) return labelled(label, about, pointer, choice(known.names, value, set, known.none, context.labels));
  if (schema.enum) return labelled(label, about, pointer, choice(schema.enum, value ?? raw.default, set, required ? null : "(not set)", context.labels));
  if (schema.type === "boolean") {
    const box = make("input", { type: "checkbox", checked: value ?? raw.default ?? false });
    box.onchange = () => set(box.checked);
    return labelled(label, about, pointer, box);
  }
  if (schema.type === "integer" || schema.type === "number") {
    const input = make("input", { type: "text", inputMode: "decimal", value: value ?? "", placeholder: raw.default ?? "", maxLength: 40 });
    input.oninput = () => set(figure(input.value.trim()));
    return labelled(label, about, pointer, input);
  }
  if (schema.type === "array") return array(label, about, pointer, schema, owner, name, context);
  if (schema.type === "object" && schema.properties) return group(label, about, pointer, schema, owner, name, required && !optional, context);
  if (schema.type === "object" || !schema.type) return labelled(label, about, pointer, json(value, set));
  if (schema.maxLength >= LONG && !name.endsWith("url")) {
    const text = make("textarea", { rows: 3, value: value ?? "", maxLength: schema.maxLength });
    text.oninput = () => set(text.value);
    return labelled(label, about, pointer, text);
  }
  const input = make("input", { type: "text", value: value ?? "", placeholder: raw.default ?? schema.examples?.[0] ?? "" });
  if (schema.format === "duration") {
    input.placeholder ||= "PT4H is 4 hours, P2D 2 days";
    input.setAttribute("list", context.durations);
  }
  if (schema.maxLength) input.maxLength = schema.maxLength;
  input.oninput = () => set(input.value);
  return labelled(label, about, pointer, input);
}

function labelled(label, about, pointer, control, hint) {
  const id = `i-${(count += 1)}`;
  control.id = id;
  control.dataset.pointer = pointer;
  if (hint && !control.placeholder) control.placeholder = hint;
  about = about?.replaceAll("``", "");
  const help = about ? make("span", { className: "help", id: `${id}-h`, textContent: about }) : null;
  control.setAttribute("aria-describedby", `${help ? `${id}-h ` : ""}${id}-p`);
  const problem = make("span", { className: "problem-text", id: `${id}-p` });
  const name = make("label", { htmlFor: id, textContent: label });
  const boxed = control.type === "checkbox";
  return make("div", { className: "field" }, ...(boxed ? [make("span", {}, control, " ", name)] : [name, control]), help, problem);
}

function choice(names, value, set, none, labels = {}) {
  const list = make("select");
  if (none !== null) list.append(make("option", { value: "", textContent: none }));
  const all = value && !names.includes(value) ? [value, ...names] : names;
  for (const one of all) list.append(make("option", { value: one, textContent: labels[one] || String(one).replaceAll("_", " "), selected: one === value }));
  list.onchange = () => set(list.value);
  return list;
}

// `inWords` tells a condition's JSON form, which is what is published, as the text that people write.
function condition(value, set, inWords) {
  const parsed = typeof value === "object" && value;
  const shown = parsed ? JSON.stringify(value) : value ?? "";
  const text = make("textarea", { rows: 3, spellcheck: false, value: shown });
  if (parsed)
    inWords(value).then((words) => {
      if (text.value === shown) text.value = words;
    }, () => {}); // the JSON form stays where it cannot be told
  text.oninput = () => {
    const given = text.value.trim();
    try {
      set(given.startsWith("{") ? JSON.parse(given) : given);
    } catch {
      set(given);
    }
  };
  return text;
}

function json(value, set) {
  const written = typeof value === "string" ? value : JSON.stringify(value ?? undefined) ?? "";
  const text = make("textarea", { rows: 3, spellcheck: false, value: written });
  text.placeholder = '{"name": "value"}';
  text.oninput = () => {
    const given = text.value.trim();
    try {
      set(given ? JSON.parse(given) : undefined);
    } catch {
      set(given); // kept as it was typed: the check says what is wrong with it
    }
  };
  return text;
}

function array(label, about, pointer, schema, owner, name, context) {
  const items = plain(schema.items || {}, context.defs).schema;
  const known = items.enum || context.words(pointer);
  const value = Array.isArray(owner[name]) ? owner[name] : [];
  if (known) {
    const boxes = known.map((one) => {
      const box = make("input", { type: "checkbox", checked: value.includes(one), value: one });
      box.onchange = () => {
        const chosen = boxes.map((each) => each.firstChild).filter(({ checked }) => checked).map((each) => each.value);
        if (chosen.length) owner[name] = chosen;
        else delete owner[name];
        context.change();
      };
      return make("label", {}, box, ` ${context.labels[one] || words(one)}`);
    });
    const set = make("fieldset", { className: "boxes" }, make("legend", { textContent: label }), ...boxes);
    set.dataset.pointer = pointer;
    return set;
  }
  if (items.type === "string") {
    const text = make("textarea", { rows: 2, value: value.join("\n") });
    text.oninput = () => {
      const lines = text.value.split("\n").map((line) => line.trim()).filter(Boolean);
      if (lines.length) owner[name] = lines;
      else delete owner[name];
      context.change();
    };
    return labelled(`${label}, one a line`, about, pointer, text);
  }
  const rows = value.map((one, place) => {
    const off = make("button", { type: "button", className: "plain small", textContent: "Remove" });
    off.setAttribute("aria-label", `Remove ${label} ${place + 1}`);
    off.onclick = () => {
      value.splice(place, 1);
      if (!value.length) delete owner[name];
      context.change(true);
    };
    return make("li", {}, fields(items, one, pointed(pointer, place), context), off);
  });
  const more = make("button", { type: "button", className: "plain small", textContent: `Add to ${label.toLowerCase()}` });
  more.onclick = () => {
    owner[name] = [...value, {}];
    context.change(true);
  };
  const set = make("fieldset", {}, make("legend", { textContent: label }), make("ol", { className: "plain-list" }, ...rows), more);
  set.dataset.pointer = pointer;
  return set;
}

function group(label, about, pointer, schema, owner, name, required, context) {
  const has = owner[name] && typeof owner[name] === "object";
  if (!has && required) owner[name] = {};
  const toggle = make("button", { type: "button", className: "plain small", textContent: has ? "Take away" : "Set" });
  toggle.setAttribute("aria-label", `${toggle.textContent} ${label}`);
  toggle.onclick = () => {
    if (has) delete owner[name];
    else owner[name] = {};
    context.change(true);
  };
  const inside = has || required ? fields(schema, owner[name], pointer, context) : null;
  const set = make("fieldset", {}, make("legend", { textContent: label }), about ? make("p", { className: "help", textContent: about.replaceAll("``", "") }) : null, inside, required ? null : toggle);
  set.dataset.pointer = pointer;
  return set;
}
