import css from "./style.css";

/** Where an action is drawn, and how it is taken down again. */
export interface Stage {
  host: HTMLElement;
  put(element: HTMLElement): void;
  /** Removes everything, and gives the focus back where it was. Safe to call twice. */
  clear(): void;
}

export function stage(cleared: () => void): Stage {
  const host = document.createElement("whyleft-action");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  let before: Element | null = null;
  host.addEventListener("focusin", ({ relatedTarget }) => {
    before ||= relatedTarget as Element | null;
  });
  return {
    host,
    put(element) {
      root.append(element);
      document.body.append(host);
    },
    clear() {
      if (!host.isConnected) return;
      const had = document.activeElement === host;
      host.remove();
      if (had) (before as HTMLElement | null)?.focus?.();
      cleared();
    },
  };
}
