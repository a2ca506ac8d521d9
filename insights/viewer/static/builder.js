// The flow builder: the tree is drawn by the server, the inspector made from the API's JSON Schema; each edit is checked by
// the API and shown where it is wrong.
import { offered, ordered } from "./builder_offers.js";
import { ownCopy } from "./builder_own_copy.js";
import { fields } from "./schema_form.js";

const desk = document.querySelector("[data-builder]");
const tree = document.querySelector("[data-builder-tree]");
const inspector = document.querySelector("[data-builder-inspector]");
const form = document.querySelector("[data-builder-form]");
const bar = document.querySelector("[data-builder-bar]");
const said = document.querySelector("[data-builder-said]");
const { flow, root } = desk.dataset;
let { etag, token } = desk.dataset;
const labels = JSON.parse(desk.dataset.labels);
const offers = JSON.parse(desk.dataset.offers);
let schema, definition, saved, faults = [], selected, preview = false, live = null, latest = null, changed = false;
const past = [];

const make = (name, props = {}, ...children) => {
  const made = Object.assign(document.createElement(name), props);
  made.append(...children);
  return made;
};

// The token of whoever is logged in by now; false where it is the one we have, or the page cannot be seen any more.
async function renewed() {
  const page = await fetch(location.href);
  const now = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("[data-builder]")?.dataset.token;
  return now && now !== token ? (token = now) : false;
}

async function ask(method, path, body, more = {}) {
  const answer = await fetch(`${root}${path}`, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "x-whyleft-token": token, ...(body === undefined ? {} : { "content-type": "application/json" }), ...more },
  }).catch(() => {
    throw new Error("The server cannot be reached. What you did stays here: try again in a moment.");
  });
  const text = await answer.text();
  let told = {};
  try {
    told = text ? JSON.parse(text) : {};
  } catch {
    told = { detail: "The server answered with something else than JSON. Reload this page; what was saved is kept." };
  }
  // They logged in again in another tab: what they typed here is theirs, and goes on.
  if (answer.status === 403 && await renewed()) return ask(method, path, body, more);
  if (told.faults?.length) told.detail = "Mend first what is marked.";
  if (!answer.ok) throw Object.assign(new Error(told.detail || `The server answered ${answer.status}.`), { status: answer.status, told });
  return { told, etag: answer.headers.get("etag") };
}

const SAVED = "Saved as a draft.";

const say = (text, bad = false) => {
  said.textContent = text;
  said.classList.toggle("bad", bad);
};

async function failed(error) {
  if (error.status !== 412) return say(error.message, true);
  // What is sent next knows of their change; what stands here counts as not saved, and so is what would be published.
  ({ etag } = await ask("GET", `/v1/flows/${flow}`));
  saved = "";
  buttons();
  say("Somebody else changed this flow meanwhile. What you see here is yours: saving it now takes the place of theirs. ", true);
  said.append(make("a", { href: location.href, target: "_blank", textContent: "See theirs in another tab" }));
}

const button = (text, does, kind = "plain") => {
  const made = make("button", { type: "button", className: kind, textContent: text });
  made.onclick = () => Promise.resolve(does()).catch(failed).catch(failed);
  return made;
};

// What is written, from the tree's point of view
const names = () => Object.keys(definition.steps || {});
const clean = () => JSON.stringify(definition) === saved;
const links = (step) => {
  const found = [];
  for (const key of ["next", "then", "otherwise"]) if (key in step) found.push([step, key]);
  for (const way of step.ways || []) found.push([way, "next"]);
  return found;
};

function fresh(kind) {
  let place = 1;
  while (definition.steps[`${kind}_${place}`]) place += 1;
  return `${kind}_${place}`;
}

const BEGIN = {
  send: (next) => ({ do: "send", action: "send_email", params: { message: "cart_reminder" }, ...next }),
  wait: (next) => ({ do: "wait", for: "PT4H", ...next }),
  branch: (next) => ({ do: "branch", when: "", then: next.next || "", otherwise: "" }),
  split: (next) => ({ do: "split", ways: [{ weight: 1, next: next.next || "" }, { weight: 1, next: "" }] }),
  exit: () => ({ do: "exit", reason: "finished" }),
};
const KINDS = { send: "Send", wait: "Wait", branch: "Branch", split: "Split", exit: "End" };

function add(kind, owner, key) {
  const name = fresh(kind);
  const next = owner[key] ? { next: owner[key] } : {};
  definition.steps[name] = BEGIN[kind](next);
  owner[key] = name;
  edited();
  select(name, true);
}

function remove(name) {
  const step = definition.steps[name];
  const after = step.next || step.then || step.ways?.[0]?.next;
  for (const other of Object.values(definition.steps))
    for (const [owner, key] of links(other)) if (owner[key] === name) after ? (owner[key] = after) : delete owner[key];
  if (definition.start === name) definition.start = after || "";
  delete definition.steps[name];
  edited();
  select(null);
  tree.querySelector("[data-trigger]").focus();
}

function rename(name, to) {
  if (!/^[a-z0-9_]{1,60}$/.test(to) || definition.steps[to]) {
    say("A step's name has small letters, digits and _, and no other step has it.", true);
    return;
  }
  definition.steps = Object.fromEntries(Object.entries(definition.steps).map(([key, step]) => [key === name ? to : key, step]));
  for (const other of Object.values(definition.steps))
    for (const [owner, key] of links(other)) if (owner[key] === name) owner[key] = to;
  if (definition.start === name) definition.start = to;
  edited();
  select(to);
}

// Drawing
let waiting = 0, drawing = 0;
function edited() {
  const text = JSON.stringify(definition);
  if (past[past.length - 1] !== text) past.push(text);
  if (past.length > 100) past.shift();
  buttons();
  clearTimeout(waiting);
  waiting = setTimeout(() => draw().catch(failed), 200);
}

async function draw() {
  const turn = (drawing += 1);
  tree.setAttribute("aria-busy", "true");
  const { told } = await ask("PUT", `/flows/${flow}/drawn`, { definition, preview }).finally(() => {
    if (turn === drawing) tree.removeAttribute("aria-busy");
  });
  if (turn !== drawing) return;
  faults = told.faults;
  const { step: focused, trigger: atTrigger } = document.activeElement?.dataset || {};
  // Written by the server's templates, which escape whatever anybody wrote.
  tree.innerHTML = told.html;
  for (const face of tree.querySelectorAll("[data-step]")) {
    face.onclick = () => select(face.dataset.step, true);
    if (face.dataset.step === selected) face.setAttribute("aria-current", "true");
    if (face.dataset.step === focused) face.focus();
  }
  const first = tree.querySelector("[data-trigger]");
  first.onclick = () => select("", true);
  if (selected === "") first.setAttribute("aria-current", "true");
  if (atTrigger !== undefined) first.focus();
  if (!names().length) tree.append(adder(definition, "start"));
  mark();
  buttons();
  if (told.problem) say(told.problem, true);
  else if (told.preview)
    say(`Last week: ${told.preview.matched} of ${told.preview.examined} visits fit, ${told.preview.started} runs would have begun, ${told.preview.reached} people been reached.`);
  else if (preview) say("A flow with faults cannot be previewed: mend them first.", true);
  else if (clean() && said.textContent === SAVED) return; // the drawing of what was saved meanwhile takes nothing back
  else if (faults.length) say(`${faults.length} ${faults.length === 1 ? "thing is" : "things are"} wrong: see the marked places.`);
  else say(clean() ? "" : "Nothing is wrong with it. It is not saved yet.");
}

function mark() {
  for (const control of form.querySelectorAll("[data-pointer]")) {
    const its = faults.filter(({ pointer }) => pointer === control.dataset.pointer
      || (control.matches("input, textarea, select") && pointer.startsWith(`${control.dataset.pointer}/`)));
    const place = document.getElementById(`${control.id}-p`);
    if (place) place.textContent = its.map(({ problem, fix }) => `${problem}: ${fix}`).join(" ");
    if (its.length) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}

const adder = (owner, key, text = "Add a step") => {
  const box = make("p", { className: "toolbar adder" }, make("span", { className: "quiet small", textContent: `${text}:` }));
  for (const [kind, name] of Object.entries(KINDS)) {
    const one = button(name, () => add(kind, owner, key), "plain small");
    one.dataset.add = kind;
    box.append(one);
  }
  return box;
};

// The inspector
const context = () => ({
  defs: { ...schema.flow.$defs, ...(schema.actions[definition.steps[selected]?.action]?.params.$defs || {}) },
  steps: () => names().filter((name) => name !== selected),
  isStep: (name, one) => ["next", "then", "otherwise"].includes(name) && one.type === "string",
  words: (pointer) => pointer === "/trigger/reasons" ? [...schema.insights.abandoned, ...schema.insights.converted] : null,
  choices: (pointer) => offered(pointer, definition.steps[selected]?.action, offers, schema),
  labels,
  durations: "durations",
  inWords: async (when) => (await ask("POST", "/v1/conditions/check", { when, place: "flow" })).told.text,
  change: (again = false) => {
    edited();
    if (again) select(selected);
  },
});

// Where the keyboard stands in the inspector, as the way back to it once that is made anew.
function standing() {
  const at = form.contains(document.activeElement) ? document.activeElement : null;
  if (!at) return () => {};
  const pointer = at.closest("[data-pointer]")?.dataset.pointer;
  return () => {
    const place = document.getElementById(at.id) || (pointer && form.querySelector(`[data-pointer="${CSS.escape(pointer)}"]`));
    (place?.querySelector("input, select, textarea, button") || place || inspector.querySelector("h2")).focus();
  };
}

function select(name, focus = false) {
  const back = standing();
  selected = name;
  inspector.hidden = name === null;
  form.replaceChildren();
  for (const face of tree.querySelectorAll("[aria-current]")) face.removeAttribute("aria-current");
  if (name === null) return;
  const face = name === "" ? tree.querySelector("[data-trigger]") : tree.querySelector(`[data-step="${CSS.escape(name)}"]`);
  face?.setAttribute("aria-current", "true");
  const heading = inspector.querySelector("h2");
  if (name === "") {
    heading.textContent = "What starts it";
    const trigger = (definition.trigger ||= { on: "insight" });
    form.append(kinds("Starts when", Object.keys(schema.triggers), trigger.on, (on) => {
      definition.trigger = { on };
      edited();
      select("");
    }));
    form.append(fields(schema.flow.$defs[schema.triggers[trigger.on]?.split("/").pop()] || {}, trigger, "/trigger", context()));
    // Bounds of a flow that has none stand in it from the first that is set.
    const settings = definition.settings || {}, its = context();
    const change = (again) => {
      if (Object.keys(settings).length) definition.settings = settings;
      else delete definition.settings;
      its.change(again);
    };
    form.append(make("h3", { textContent: "Bounds" }), fields(schema.flow.$defs.FlowSettings, settings, "/settings", { ...its, change }));
    form.append(adder(definition, "start", "Put first"));
    const { name: called, description } = schema.flow.properties;
    form.append(make("h3", { textContent: "The flow itself" }),
      fields({ properties: { name: called, description }, required: ["name"] }, definition, "", context()));
  } else {
    const step = definition.steps[name];
    heading.textContent = `Step ${name}`;
    const renamed = make("input", { value: name, maxLength: 60, id: "step-name", pattern: "[a-z0-9_]+" });
    renamed.onchange = () => rename(name, renamed.value.trim());
    form.append(make("div", { className: "field" }, make("label", { htmlFor: "step-name", textContent: "Name" }), renamed));
    form.append(kinds("Does", Object.keys(schema.steps), step.do, (kind) => {
      definition.steps[name] = BEGIN[kind](step.next ? { next: step.next } : {});
      edited();
      select(name);
    }));
    if (step.do === "send") {
      form.append(kinds("Action", Object.keys(schema.actions), step.action, (action) => {
        definition.steps[name] = { ...step, action, params: {} };
        edited();
        select(name);
      }));
      const params = (step.params ||= {});
      const its = ordered(schema.actions[step.action]?.params);
      if (its) form.append(make("fieldset", {}, make("legend", { textContent: "What goes into it" }), fields(its, params, `/steps/${name}/params`, context())));
    }
    const own = schema.flow.$defs[schema.steps[step.do]?.split("/").pop()] || { properties: {} };
    const rest = Object.fromEntries(Object.entries(own.properties).filter(([key]) => !["do", "action", "params"].includes(key)));
    form.append(fields({ ...own, properties: rest }, step, `/steps/${name}`, context()));
    if (step.do !== "exit" && step.do !== "split" && step.do !== "branch") form.append(adder(step, "next", "Add after it"));
    if (step.do === "branch") form.append(adder(step, "then", "Add to yes"), adder(step, "otherwise", "Add to no"));
    for (const [place, way] of (step.do === "split" ? step.ways || [] : []).entries()) form.append(adder(way, "next", `Add to way ${place + 1}`));
    const copy = step.do === "send" && ownCopy(step.action, name, () => definition, async (body) => (await ask("POST", "/v1/flows/test-send", body)).told);
    if (copy) form.append(copy);
    form.append(make("p", { className: "toolbar" }, button("Delete this step", () => remove(name), "danger small")));
  }
  mark();
  if (focus) heading.focus();
  else back();
}

function kinds(label, all, value, set) {
  const id = `k-${label.replaceAll(" ", "-")}`;
  const list = make("select", { id });
  for (const one of all) list.append(make("option", { value: one, textContent: labels[one] || one.replaceAll("_", " "), selected: one === value }));
  list.onchange = () => set(list.value);
  return make("div", { className: "field" }, make("label", { htmlFor: id, textContent: label }), list);
}

// Saving and publishing
async function put() {
  const sent = JSON.stringify(definition); // what is typed while it is under way is not saved by it
  const { told, etag: now } = await ask("PUT", `/v1/flows/${flow}`, { definition }, { "if-match": etag });
  etag = now || etag;
  live = told.live_version;
  changed = told.changed;
  saved = sent;
  buttons();
  say(clean() ? SAVED : `${SAVED} What you changed since is not saved yet.`);
}

// One at a time: a second one beside it would know the flow as it was before the first, and be refused.
let saving = null;
const save = () => (saving ||= put().finally(() => (saving = null)));

async function publish() {
  while (!clean()) await save();
  const dialog = make("dialog", { className: "card publish" });
  dialog.setAttribute("aria-labelledby", "h-publish");
  const list = make("ul", { className: "plain-list diff" });
  if (latest !== null) {
    const { told } = await ask("GET", `/v1/flows/${flow}/diff?before=${latest}&after=draft`);
    const line = (kind, text) => list.append(make("li", {}, make("span", { className: "tag", textContent: kind }), ` ${text}`));
    told.steps_added.forEach((name) => line("added", name));
    told.steps_removed.forEach((name) => line("removed", name));
    for (const [name, its] of Object.entries(told.steps_changed))
      its.forEach(({ pointer, before, after }) => line("changed", `${name} ${pointer}: ${JSON.stringify(before) ?? "nothing"} → ${JSON.stringify(after) ?? "nothing"}`));
    told.other_changes.forEach(({ kind, pointer, before, after }) => line(kind, `${pointer}: ${JSON.stringify(before) ?? "nothing"} → ${JSON.stringify(after) ?? "nothing"}`));
    if (told.same) line("same", live === null ? "Nothing is different from what ran last: it runs again." : "Nothing is different from what runs.");
  } else list.append(make("li", { textContent: `The first version: ${names().length} steps.` }));
  const go = button("Publish", async () => {
    dialog.close();
    const { told, etag: now } = await ask("POST", `/v1/flows/${flow}/publish`, undefined, { "if-match": etag, "idempotency-key": crypto.randomUUID() });
    etag = now || etag;
    live = latest = told.live_version;
    changed = false;
    buttons();
    say(`Version ${told.live_version} is live: visits that fit start it from now on.`);
  }, "");
  dialog.append(make("h2", { id: "h-publish", textContent: "Publish this flow?" }), list,
    make("p", { className: "quiet small", textContent: "Runs under way stay with the version they began on." }),
    make("p", { className: "toolbar" }, go, button("Not now", () => dialog.close())));
  dialog.onclose = () => dialog.remove();
  document.body.append(dialog);
  dialog.showModal();
}

const undo = () => {
  past.pop();
  definition = JSON.parse(past[past.length - 1]);
  if (selected && !definition.steps[selected]) selected = null;
  select(selected ?? null);
  buttons();
  return draw();
};

const tools = {
  undo: button("Undo", undo),
  preview: button("Preview last week", () => {
    preview = !preview;
    tools.preview.setAttribute("aria-pressed", String(preview));
    if (preview) say("Looking at last week's visits …");
    return draw();
  }),
  save: button("Save draft", save, ""),
  publish: button("Publish …", publish, ""),
};
tools.preview.setAttribute("aria-pressed", "false");

function buttons() {
  tools.undo.disabled = past.length < 2;
  tools.save.disabled = clean();
  tools.publish.disabled = faults.length > 0 || (clean() && live !== null && !changed);
}

addEventListener("beforeunload", (event) => {
  if (!clean()) event.preventDefault();
});

try {
  const [known, built] = await Promise.all([ask("GET", "/v1/flows/schema"), ask("GET", `/v1/flows/${flow}`)]);
  schema = known.told;
  etag = built.etag || etag;
  definition = built.told.definition;
  definition.steps ||= {};
  live = built.told.live_version;
  latest = built.told.latest_version;
  changed = built.told.changed;
  saved = JSON.stringify(definition);
  past.push(saved);
  const durations = make("datalist", { id: "durations" });
  for (const [value, text] of [["PT15M", "15 minutes"], ["PT1H", "1 hour"], ["PT4H", "4 hours"], ["PT20H", "20 hours"], ["P1D", "1 day"], ["P3D", "3 days"]])
    durations.append(make("option", { value, label: text }));
  document.body.append(durations);
  bar.append(...Object.values(tools));
  await draw();
} catch (error) {
  failed(error);
}
