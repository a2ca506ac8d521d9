/** The browser SDK for React: starts it once, and lends its API to components. Renders nothing itself, on servers too. */
import { createContext, useCallback, useContext, useEffect, useRef, type ReactNode } from "react";
import { start, type Action, type Options, type Whyleft } from "whyleft";

type Use = (call: (api: Whyleft) => void) => void;

const Context = createContext<Use>(() => {});

interface Props {
  options: Options;
  /** Hears of each action before it is drawn; return false to draw it with your own component. */
  onAction?: (action: Action) => boolean | void;
  children: ReactNode;
}

export function WhyleftProvider({ options, onAction, children }: Props) {
  const started = useRef<Promise<Whyleft | undefined> | null>(null);
  const hear = useRef(onAction);
  hear.current = onAction;

  // Whoever comes first starts it: effects of what is inside run before those of what is around it. And once only: strict
  // mode runs effects twice.
  const begun = useCallback(
    () =>
      (started.current ??= start(options).then((api) => {
        api?.on("action", (action) => hear.current?.(action));
        return api;
      })),
    [],
  );
  useEffect(() => void begun(), []);

  const use = useCallback<Use>((call) => void begun().then((api) => api && call(api)), []);
  return <Context.Provider value={use}>{children}</Context.Provider>;
}

/** A function that makes a call to the API once it is there: whyleft((api) => api.searched({ query })). */
export const useWhyleft = (): Use => useContext(Context);
