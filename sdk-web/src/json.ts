const UNSAFE = /["\\\0-\x1f]/g;

const escaped = (character: string): string =>
  character > "\0" ? "\\u" + (character.charCodeAt(0) + 65536).toString(16).slice(1) : "";

/**
 * A value as JSON, made without the page's JSON object and without toJSON: pages replace the one and add the other to
 * every array. NUL, which no database takes, is left out; halves of characters are replaced by the browser when it sends
 * them. Throws on what is nested too deeply.
 */
export function json(value: any, levels = 20): string {
  const inner = (item: unknown): string => json(item, levels - 1);
  if (!levels) throw 0;
  return typeof value === "string"
    ? `"${value.replace(UNSAFE, escaped)}"`
    : Array.isArray(value)
      ? `[${value.map(inner)}]`
      : value instanceof Date
        ? inner(+value === +value ? value.toISOString() : null)
        : value && typeof value === "object"
          ? `{${Object.keys(value).flatMap((name) => (value[name] === undefined ? [] : inner(name) + ":" + inner(value[name])))}}`
          : value === !!value || Number.isFinite(value)
            ? "" + value
            : "null";
}
