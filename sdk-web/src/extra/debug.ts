/** What the SDK sees and hears, as it happens: `?whyleft=debug` in the address. For the shop's developers, in their own tab. */
import type { Core } from "../core.ts";
import { forget } from "./tab.ts";
import css from "./debug.css";

interface Answer {
  accepted?: number;
  duplicates?: number;
  rejected?: { id: string | null; error: string }[];
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
  const show = (facts: Record<string, unknown>): void => {
    state.replaceChildren(
      ...Object.entries(facts).flatMap(([name, value]) => [made("dt", "", name), made("dd", "", short(value))]),
    );
  };
  const facts: Record<string, unknown> = { ...core.identity(), consent: core.consent() ?? "pending" };
  show(facts);

  const tell = ({ self, args }: (typeof past)[0]): void => say("event", self, args);
  past.forEach(tell);
  on("event", tell);
  const hear = core.answers.hear;
  core.answers.hear = (answer: Answer) => {
    const { accepted = 0, duplicates = 0, rejected = [], action, explained } = answer;
    say("answer", `stored ${accepted}${duplicates ? `, known ${duplicates}` : ""}`);
    for (const { error } of rejected) say("refused", "refused", error);
    if (action) say("action", action.action, action.template);
    if (explained) show(Object.assign(facts, explained));
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

const short = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value) || "").slice(0, 600);
