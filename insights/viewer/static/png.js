// Offers a report's chart as a PNG: drawn here from the same SVG that can be downloaded. Without it, the SVG is there.
const svgLink = document.querySelector("[data-svg]");
const place = document.querySelector("[data-png-here]");

async function save() {
  const text = await (await fetch(svgLink.href)).text();
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * 2;
  canvas.height = image.naturalHeight * 2;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const link = document.createElement("a");
  link.href = canvas.toDataURL("image/png");
  link.download = document.querySelector("[data-png]").dataset.png;
  link.click();
}

if (svgLink && place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain small";
  button.textContent = "PNG";
  button.addEventListener("click", save);
  place.append(" · ", button);
}
