const UNSAFE = /["\\\u0000-\u001f\ud800-\udfff]/gu;

const escaped = (character: string): string =>
  character > "~" ? "?" : character > "\0" ? "\\u" + (character.charCodeAt(0) + 65536).toString(16).slice(1) : "";

/**
 * A value as JSON, made without the page's JSON object and without toJSON: pages replace the one and add the other to
 * every array. Halves of characters and NUL, which no database takes, are replaced. Throws on what is nested too deeply.
 */
export function json(value: any, levels = 20): string {
  const inner = (item: unknown): string => json(item, levels - 1);
  if (!levels) throw 0;
  return typeof value === "string"
    ? `"${value.replace(UNSAFE, escaped)}"`
    : Array.isArray(value)
      ? `[${value.map(inner)}]`
      : value instanceof Date
        ? inner(value.toISOString())
        : value && typeof value === "object"
          ? `{${Object.keys(value).flatMap((name) => (value[name] === undefined ? [] : inner(name) + ":" + inner(value[name])))}}`
          : value === !!value || Number.isFinite(value)
            ? "" + value
            : "null";
}
