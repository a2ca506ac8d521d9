// One session: pointing at evidence lights up its event, and the other way round; the storyboard plays.
const lit = (on) => ({ target }) => {
  const cited = target.closest?.(".evidence li[id], .line.cited, .doing.cited");
  if (!cited) return;
  const link = cited.matches(".evidence li") ? cited.querySelector("a[href*='#e-']") : cited;
  const event = cited.matches(".line") ? cited.id : (link?.getAttribute("href") || "").split("#")[1];
  const back = document.querySelector(`.evidence a[href$="#${event}"]`)?.closest("li");
  for (const one of [document.getElementById(event), back, document.querySelector(`.doing[href$="#${event}"]`)])
    one?.classList.toggle("lit", on);
};
for (const [name, on] of [["mouseover", true], ["focusin", true], ["mouseout", false], ["focusout", false]])
  document.addEventListener(name, lit(on));

const LONGEST_WAIT = 2500;
const stage = document.querySelector("[data-replay]");
if (stage) {
  const scenes = [...stage.querySelectorAll(".scene")].map((element) => ({
    element,
    from: Number(element.dataset.at),
    until: Number(element.dataset.until),
    window: element.querySelector(".window"),
    marks: [...element.querySelectorAll(".doing")].map((mark) => ({ mark, at: Number(mark.dataset.at) })),
    scrolls: element.dataset.scrolls.split(" ").map((pair) => pair.split(":").map(Number)),
  }));
  // Long gaps are cut to a moment, so that a visit with a lunch break in it can be watched.
  const times = [...new Set(scenes.flatMap(({ from, until, marks, scrolls }) =>
    [from, until, ...marks.map(({ at }) => at), ...scrolls.map(([at]) => at)]))].sort((a, b) => a - b);
  const shown = [0];
  for (let i = 1; i < times.length; i += 1) shown.push(shown[i - 1] + Math.min(times[i] - times[i - 1], LONGEST_WAIT));
  const length = shown[shown.length - 1] || 1;
  const visitTime = (at) => {
    let i = 0;
    while (i + 1 < shown.length && shown[i + 1] <= at) i += 1;
    return Math.min(times[i] + (at - shown[i]), times[i + 1] ?? times[i]);
  };
  const clock = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

  const bar = stage.querySelector("[data-replay-bar]");
  const play = Object.assign(document.createElement("button"), { type: "button", className: "small", textContent: "Play" });
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: length, step: 50, value: 0 });
  slider.setAttribute("aria-label", "Place in the visit");
  const said = Object.assign(document.createElement("span"), { className: "clock" });
  bar.append(play, slider, said);

  let now = 0, last = 0, frame = 0, current;
  const draw = () => {
    const at = visitTime(now);
    for (const scene of scenes) {
      const here = at >= scene.from && (at < scene.until || scene === scenes[scenes.length - 1]);
      scene.element.classList.toggle("now", here);
      scene.element.classList.toggle("later", at < scene.from);
      for (const { mark, at: when } of scene.marks) mark.classList.toggle("later", when > at);
      if (!here) continue;
      const before = scene.scrolls.filter(([when]) => when <= at);
      scene.window.setAttribute("y", (before[before.length - 1] || scene.scrolls[0])[1]);
      if (current !== scene) {
        current = scene;
        const list = scene.element.parentElement;
        list.scrollTo({ left: scene.element.offsetLeft - list.offsetLeft - 40 });
      }
    }
    slider.value = now;
    slider.setAttribute("aria-valuetext", clock(at));
    said.textContent = `${clock(at)} of ${clock(Number(stage.dataset.length))}`;
  };
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    play.textContent = now >= length ? "Play again" : "Play";
  };
  const tick = (time) => {
    now = Math.min(length, now + (time - last) * 2);
    last = time;
    draw();
    if (now >= length) stop();
    else frame = requestAnimationFrame(tick);
  };
  play.onclick = () => {
    if (frame) return stop();
    if (now >= length) now = 0;
    last = performance.now();
    play.textContent = "Pause";
    frame = requestAnimationFrame(tick);
  };
  slider.oninput = () => {
    now = Number(slider.value);
    stop();
    draw();
  };
}
