// Looks for new mail every few seconds: the list shows it, a mail says so.
const shown = document.body.dataset.newest;

setInterval(async () => {
  if (document.hidden) return;
  let newest;
  try {
    ({ newest } = await (await fetch("/newest")).json());
  } catch {
    return; // The demo was stopped or is starting again: the page stays as it is.
  }
  if (newest === shown) return;
  if (document.querySelector("[data-refresh]")) location.reload();
  else if (document.getElementById("newer")) document.getElementById("newer").textContent = "New mail has arrived.";
}, 2500);
