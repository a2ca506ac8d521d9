/** What the SDK sees and hears, as it happens: `?whyleft=debug` in the address. For the shop's developers, in their own tab. */
import type { Core } from "../core.ts";
import { forget } from "./tab.ts";
import css from "./debug.css";

interface Answer {
  accepted?: number;
  duplicates?: number;
  rejected?: { id: string | null; error: string }[];
  unverified?: { id: string; error: string }[];
  action?: { action: string; template: string } | null;
  explained?: Record<string, unknown> | null;
}

type On = (type: string, handler: (event: any) => void) => void;

const MOST = 200;

export function open(core: Core, on: On, past: { self: string; args: unknown }[]): void {
  const host = document.createElement("whyleft-debug");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];

  const log = made("ol", "log");
  const state = made("dl", "state");
  const panel = made("details", "panel", made("summary", "", "Whyleft"), state, log);
  panel.open = true;
  const stop = made("button", "stop", "Stop debugging in this tab");
  stop.onclick = () => {
    forget();
    host.remove();
  };
  panel.append(stop);
  root.append(panel);
  document.body.append(host);

  const say = (kind: string, title: string, details?: unknown): void => {
    const line = made("li", kind, made("b", "", title));
    if (details !== undefined) line.append(made("code", "", short(details)));
    log.prepend(line);
    while (log.children.length > MOST) log.lastChild!.remove();
  };
  // What was decided and why comes first: what one looks for must not be scrolled for.
  const show = ({ decision, why, stage, ...others }: Record<string, unknown>): void => {
    const facts = { decision, why, stage, ...others, ...core.identity(), consent: core.consent() ?? "pending" };
    state.replaceChildren(
      ...Object.entries(facts).flatMap(([name, value]) =>
        value === undefined ? [] : [made("dt", "", name), made("dd", "", short(value))],
      ),
    );
  };
  show({});

  const tell = ({ self, args }: (typeof past)[0]): void => say("event", self, args);
  past.forEach(tell);
  on("event", tell);
  const hear = core.answers.hear;
  core.answers.hear = (answer: Answer) => {
    const { accepted = 0, duplicates = 0, rejected = [], unverified = [], action, explained } = answer;
    say("answer", `stored ${accepted}${duplicates ? `, known ${duplicates}` : ""}`);
    for (const { error } of rejected) say("refused", "refused", error);
    for (const { error } of unverified) say("refused", "not believed", error);
    if (action) say("action", action.action, action.template);
    if (explained) show(explained);
    hear(answer);
  };
}

function made<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  element.className = className;
  element.append(...inside);
  return element;
}

/** A value as a person reads it: names and values without the marks of JSON, three digits of a fraction. */
function short(value: unknown): string {
  const said =
    typeof value === "number"
      ? String(Math.round(value * 1000) / 1000)
      : Array.isArray(value)
        ? value.map(short).join(", ")
        : value && typeof value === "object"
          ? Object.entries(value).flatMap(([name, inner]) => (inner === undefined ? [] : `${name} ${short(inner)}`)).join(" · ")
          : String(value);
  return said.slice(0, 600);
}
