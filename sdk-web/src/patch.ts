import { guard } from "./guard.ts";

/** Hears of each call to a function of the page, with its arguments and result as they are. */
export function patch(owner: any, name: string, heard: (self: any, args: any, result: any) => void): void {
  const original = owner[name];
  owner[name] = function () {
    const result = original.apply(this, arguments);
    guard(heard)(this, arguments, result);
    return result;
  };
}
