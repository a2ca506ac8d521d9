// What the builder offers in a field that names something which is there, and in which order an action is asked for.

/** The names that a field may take, and what it says while none is chosen; null for a field to write into. */
export function offered(pointer, action, offers, schema) {
  const field = pointer.split("/").pop();
  if (pointer === "/trigger/kind") return { names: Object.keys(schema.insights), none: "(any)" };
  if (field === "segment" && offers.segments) return { names: offers.segments, none: offers.segments.length ? "(choose one)" : "(there is none yet)" };
  if (!pointer.includes("/params/")) return null;
  if (field === "message" && offers.messages?.[action]) return { names: offers.messages[action], none: action === "send_email" ? "(choose one)" : "(none: words of your own)" };
  if (field === "channel" && offers.channels?.[action]) return { names: offers.channels[action], none: "(the one that carries this kind)" };
  return null;
}

/** The schema of what an action takes: what it must have first, by which channel last. */
export function ordered(params) {
  if (!params?.properties) return params;
  const must = new Set(params.required || []), { channel, ...rest } = params.properties;
  const sorted = Object.entries(rest).sort(([one], [other]) => must.has(other) - must.has(one));
  return { ...params, properties: { ...Object.fromEntries(sorted), ...(channel ? { channel } : {}) } };
}
