let said = false;

/** One line in the console for the shop's developer; a second would be noise. */
export function warn(message: string): void {
  if (!said) console.warn("whyleft: " + message);
  said = true;
}
