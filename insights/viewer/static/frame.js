// Shows an action in the SDK's own renderer. Once it is closed, a button brings it back.
const { show } = await import(document.body.dataset.renderer);
const action = JSON.parse(document.body.dataset.action);
const again = document.querySelector("button");
const draw = () => {
  again.hidden = true;
  show(action, ({ kind }) => {
    if (kind === "closed") again.hidden = false;
  });
};
again.onclick = draw;
// A preview leads nowhere.
document.addEventListener("click", (event) => {
  if (event.composedPath().some(({ tagName }) => tagName === "A")) event.preventDefault();
}, true);
// A popup takes the focus, two frames after it is shown. This one was not asked for: who types beside it goes on typing.
const twoFramesOn = (then) => requestAnimationFrame(() => requestAnimationFrame(then));
const drawUnasked = () => {
  let held;
  twoFramesOn(() => {
    held = parent.document.activeElement;
  });
  draw();
  twoFramesOn(() => {
    if (parent.document.activeElement === held) return;
    if (held === parent.document.body) parent.document.activeElement.blur();
    else held.focus({ preventScroll: true });
  });
};
if (action) drawUnasked();
