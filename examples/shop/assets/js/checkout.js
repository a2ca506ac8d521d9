// The checkout: four steps on one page. The server keeps the answers, so a reload goes on where it was.
import { ask, basket } from "./api.js";
import { byId, money, showCount } from "./dom.js";
import { report, reportOnce } from "./report.js";
import { showSums, startCoupon } from "./summary.js";

const STEPS = ["contact", "shipping", "payment", "review"];
const forms = Object.fromEntries(STEPS.map((step) => [step, document.querySelector(`form[data-step="${step}"]`)]));
let now;
let shown;

function answers(step) {
  const form = forms[step];
  const said = Object.fromEntries(new FormData(form));
  if (step === "contact") said.mail_me = form.elements.mail_me.checked;
  return { ...said, step };
}

function refill(step, kept) {
  if (!kept) return;
  const fields = forms[step].elements;
  for (const [name, value] of Object.entries(kept)) {
    if (!fields[name]) continue;
    if (typeof value === "boolean") fields[name].checked = value;
    else fields[name].value = value;
  }
}

function update(latest) {
  now = latest;
  showCount(now.count);
  showSums(now);
  for (const [method, minor] of Object.entries(now.delivery)) {
    document.querySelector(`[data-delivery="${method}"]`).textContent = minor ? money(minor) : "Free";
  }
  if (now.contact) byId("say-contact").textContent = now.contact.email;
  if (now.shipping) {
    const { name, street, postcode, city, country, method } = now.shipping;
    const land = byId("country").querySelector(`[value="${country}"]`).textContent;
    byId("say-shipping").textContent = `${name}, ${street}, ${postcode} ${city}, ${land} (${method})`;
  }
  if (now.payment) {
    const picked = forms.payment.querySelector(`[value="${now.payment.method}"]`);
    byId("say-payment").textContent = picked.closest("label").textContent.trim();
  }
  byId("mini-lines").replaceChildren(
    ...now.items.map((item) => {
      const row = document.createElement("li");
      row.textContent = `${item.quantity} × ${item.name}, ${money(item.line_minor)}`;
      return row;
    }),
  );
}

function go(step, { focus = true } = {}) {
  const reached = STEPS.indexOf(now.next_step);
  for (const name of STEPS) {
    forms[name].hidden = name !== step;
    const mark = document.querySelector(`[data-progress="${name}"]`);
    const button = mark.querySelector("button");
    mark.classList.toggle("done", STEPS.indexOf(name) < reached);
    button.disabled = STEPS.indexOf(name) > reached;
    if (name === step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  if (focus) forms[step].querySelector("h2").focus();
  if (shown !== step) report("checkoutStep", { step });
  shown = step;
}

function complain(form, declined) {
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  form.querySelector(".error").textContent = declined?.message ?? "";
  const field = declined?.field && form.elements[declined.field];
  if (field instanceof HTMLElement) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
}

function tellWho({ email, mail_me }) {
  report("identify", { email });
  if (mail_me) report("consent", { marketing: true, channels: ["email"] });
  else if (now.contact?.mail_me) report("consent", { marketing: false, channels: [] });
}

async function send(step) {
  const form = forms[step];
  const button = form.querySelector("button.wide");
  const label = button.textContent;
  button.disabled = true;
  button.textContent = button.dataset.busy;
  complain(form);
  try {
    const answer = await ask("/api/checkout", answers(step));
    if (step === "review") {
      location.assign(`/thank-you?order=${encodeURIComponent(answer.order_id)}`);
      return;
    }
    if (step === "contact") tellWho(answer.contact);
    update(answer);
    go(answer.next_step);
  } catch (declined) {
    if (declined.step && declined.step !== step) go(declined.step);
    complain(forms[declined.step ?? step], declined);
  }
  button.disabled = false;
  button.textContent = label;
}

for (const step of STEPS) {
  forms[step].addEventListener("submit", (event) => {
    event.preventDefault();
    send(step);
  });
}
for (const button of document.querySelectorAll("[data-go]")) {
  button.addEventListener("click", () => go(button.dataset.go));
}
startCoupon(update);

basket().then(
  (first) => {
    byId("loading").hidden = true;
    byId("empty").hidden = first.count > 0;
    byId("filled").hidden = first.count === 0;
    if (first.count === 0) {
      showCount(0);
      return;
    }
    for (const step of STEPS) refill(step, first[step]);
    update(first);
    reportOnce(`checkout.${first.order_id}`, "checkoutStarted", {
      cart_value_minor: first.subtotal_minor,
      currency: first.currency,
      items: first.count,
    });
    go(first.next_step, { focus: false });
  },
  (declined) => {
    byId("loading").textContent = declined.message;
  },
);
