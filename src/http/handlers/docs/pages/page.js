// What a page does besides being read: code can be copied, wide parts scroll by keyboard, and there is a search.

import { startSearch } from "./search.js";

for (const block of document.querySelectorAll("article pre")) if (navigator.clipboard) addCopyButton(block);
for (const wide of document.querySelectorAll("article pre, .scroll")) watchWidth(wide);
startSearch();

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
