import { core, on, record, track } from "./lent.ts";

interface Touched {
  form: string;
  fields: number;
  last_field: string;
  filled: number;
}

let touched: Touched | undefined;
let focused = 0;
let firstInput = 0;
const visits: Record<string, number> = {};

/** What is never kept, whatever the shop marks. */
const SECRET = /password|card|cc-|cv[cv]|iban|ssn/i;

/** Fields by name and kind. A value only where the shop marked the field and the visitor agreed themselves. */
export function watchForms(): void {
  on("focusin", () => {
    focused = performance.now();
    firstInput = 0;
  });
  on("input", ({ target }) => {
    const { form, name } = target as HTMLInputElement;
    firstInput ||= performance.now();
    if (!form) return;
    const fields = [...form.elements].filter((field) => (field as HTMLInputElement).name) as HTMLInputElement[];
    touched = { form: nameOf(form), fields: fields.length, last_field: name, filled: fields.filter((field) => field.value).length };
  });
  on("focusout", ({ target }) => {
    const { form, name } = target as HTMLInputElement;
    if (!form || !name) return;
    const { type, value, autocomplete } = target as HTMLInputElement;
    const kept = core.agreed() && (target as Element).hasAttribute("data-whyleft-keep") && !SECRET.test([type, name, autocomplete].join());
    const field = nameOf(form) + "/" + name;
    const refocused = (visits[field] = (visits[field] ?? -1) + 1);
    const first_input_ms = firstInput ? Math.round(firstInput - focused) : undefined;
    track("form_field", {
      form: nameOf(form),
      field: name,
      kind: type,
      focused_ms: Math.round(performance.now() - focused),
      first_input_ms,
      refocused,
      ...(kept && { value: value.slice(0, 200) }),
    });
  });
  core.partings.push((gone) => {
    if (!gone) return;
    if (touched) record("form_abandoned", touched);
    touched = undefined;
  });
  on("submit", ({ target }) => {
    touched = undefined;
    track("form_submitted", { form: nameOf(target as HTMLFormElement) });
  });
}

// An input called "name" or "id" hides the form's own property, so attributes it is.
const nameOf = (form: HTMLFormElement): string => form.getAttribute("name") || form.getAttribute("id") || "form";
