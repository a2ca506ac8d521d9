// Follows the list of sessions: rows arrive as the server draws them, the newest on top.
const MOST_TRIES = 5;
const list = document.querySelector("[data-tail]");
const body = list?.querySelector("tbody");
if (body && "EventSource" in window) {
  const button = document.createElement("button");
  const said = document.createElement("span");
  button.type = "button";
  button.className = "plain small";
  said.className = "quiet small";
  said.setAttribute("role", "status");
  document.querySelector("[data-tail-here]").append(button, " ", said);
  let source, fresh = 0, lost = 0;
  const stop = (why) => {
    source?.close();
    source = undefined;
    button.textContent = "Follow live";
    button.setAttribute("aria-pressed", "false");
    said.textContent = why;
  };
  const start = () => {
    fresh = 0;
    button.textContent = "Stop following";
    button.setAttribute("aria-pressed", "true");
    said.textContent = "Following: new and changed visits come in on top.";
    source = new EventSource(list.dataset.tail);
    source.addEventListener("open", () => {
      lost = 0;
      said.textContent = "Following: new and changed visits come in on top.";
    });
    source.addEventListener("row", ({ data }) => {
      const holder = document.createElement("template");
      holder.innerHTML = data;
      const row = holder.content.querySelector("tr");
      const known = document.getElementById(row.id);
      if (!known) fresh += 1;
      // Nobody's place in the list moves while they are on it: a row that has the focus is left alone.
      if (known?.contains(document.activeElement)) return;
      known?.remove();
      row.classList.add("fresh");
      body.prepend(row);
      while (body.rows.length > 200) body.rows[body.rows.length - 1].remove();
      said.textContent = `Following: ${fresh} new ${fresh === 1 ? "visit" : "visits"}.`;
    });
    source.addEventListener("over", ({ data }) =>
      stop(data === "login" ? "Your login is over: reload this page." : "Stopped after five minutes."));
    source.onerror = () => {
      if (!source) return;
      // The browser tries again by itself and says what it saw last; a list that nobody serves for long says so instead.
      lost += 1;
      if (source.readyState === EventSource.CONNECTING && lost <= MOST_TRIES) said.textContent = "The connection broke: trying again.";
      else stop("The connection ended. Follow again, or reload this page.");
    };
  };
  button.onclick = () => (source ? stop("") : start());
  addEventListener("pagehide", () => source?.close());
  stop("");
}
