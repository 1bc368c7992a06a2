// What a page does besides being read: code can be copied, wide parts scroll by keyboard, and there is a search.

import { startSearch } from "./search.js";

for (const block of document.querySelectorAll("article pre")) if (navigator.clipboard) addCopyButton(block);
for (const wide of document.querySelectorAll("article pre, .scroll")) watchWidth(wide);
openContents();
startSearch();

/** The contents are beside the page on a wide screen, and above it, closed, on a narrow one. */
function openContents() {
  const contents = document.querySelector(".side details");
  const wide = matchMedia("(min-width: 940px)");
  const update = () => (contents.open = wide.matches);
  wide.addEventListener("change", update);
  update();
}

function addCopyButton(block) {
  const frame = document.createElement("div");
  frame.className = "code";
  block.replaceWith(frame);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  frame.append(block, button);
}

/** What is wider than its place takes the keyboard's focus, so that the arrow keys scroll it. */
function watchWidth(part) {
  const update = () => {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  };
  new ResizeObserver(update).observe(part);
}
