// The switches. They take effect on the next page.
import { broken, setBroken } from "./broken.js";
import { byId } from "./dom.js";
import { showBroken } from "./everywhere.js";

const switches = [...document.querySelectorAll("[data-break]")];

function keep() {
  const names = switches.filter((box) => box.checked).map((box) => box.value);
  const kept = setBroken(names);
  byId("break-says").textContent = kept
    ? names.length
      ? "Broken. Now go shopping."
      : "Everything works again."
    : "This browser keeps nothing for this page: allow site data and try again.";
  showBroken();
}

for (const box of switches) {
  box.checked = broken().includes(box.value);
  box.addEventListener("change", keep);
}
byId("mend").addEventListener("click", () => {
  for (const box of switches) box.checked = false;
  keep();
});
