// Shows an action in the SDK's own renderer. Once it is closed it comes back, so that it can be looked at again.
const { show } = await import(document.body.dataset.renderer);
const action = JSON.parse(document.body.dataset.action);
const draw = () => show(action, ({ kind }) => kind === "closed" && setTimeout(draw, 900));
// A preview leads nowhere.
document.addEventListener("click", (event) => {
  if (event.composedPath().some(({ tagName }) => tagName === "A")) event.preventDefault();
}, true);
if (action) draw();
