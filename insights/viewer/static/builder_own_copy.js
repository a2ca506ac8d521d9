// The builder's way to see a message as its reader will: one step, sent to oneself, and what the provider answered.

/** What an address of one's own is to an action; "" where it goes to where they all go. Others have no such oneself. */
const TO = {
  send_email: "Your e-mail address",
  trigger_retargeting: "Your e-mail address",
  send_sms: "Your phone number, with its country: +49 …",
  send_push: "The id of your subscription",
  create_ticket: "",
  create_crm_task: "",
  call_webhook: "",
};
const typed = {};
let count = 0;

const make = (name, props = {}, ...children) => {
  const made = Object.assign(document.createElement(name), props);
  made.append(...children);
  return made;
};

/** A small form for a send step, or null where nothing can be sent to oneself. `send`: posts the request, gives the answer's body. */
export function ownCopy(action, step, definition, send) {
  if (!(action in TO)) return null;
  const label = TO[action], id = `own-${(count += 1)}`;
  const told = make("p", { className: "small", id: `${id}-said` });
  told.setAttribute("role", "status");
  const to = make("input", { type: "text", id, value: typed[label] ?? "", maxLength: 320, autocomplete: label.includes("mail") ? "email" : "off" });
  to.setAttribute("aria-describedby", told.id);
  const go = make("button", { type: "button", className: "plain small", textContent: "Send it to yourself" });
  go.onclick = async () => {
    typed[label] = to.value;
    go.disabled = true;
    told.className = "small";
    told.textContent = "Sending …";
    try {
      const { said, todo, result } = await send({ definition: definition(), step, to: to.value.trim() || null });
      told.textContent = [said, todo].filter(Boolean).join(" ");
      told.classList.toggle("bad", result !== "accepted");
    } catch (error) {
      told.textContent = error.message;
      told.classList.add("bad");
    }
    go.disabled = false;
  };
  to.onkeydown = (event) => {
    if (event.key === "Enter") go.click();
  };
  const field = label ? [make("div", { className: "field" }, make("label", { htmlFor: id, textContent: label }), to)] : [];
  return make("fieldset", {}, make("legend", { textContent: "See it" }),
    make("p", { className: "help", textContent: "Sent now, as it is written here, marked as a test and with made-up data. It counts nowhere." }),
    ...field, make("p", { className: "toolbar" }, go), told);
}
