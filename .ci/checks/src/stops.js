// Finds what the Tab key must reach, and notes what it reaches. Runs in the page; returns the number of expected stops and defects.
const findings = [];
const isShown = (element) => element.checkVisibility({ checkVisibilityCSS: true });
const interactive = "a[href], summary, button, input:not([type=hidden]), select, textarea, [tabindex]:not([tabindex='-1'])";
const stops = [...document.querySelectorAll(interactive)].filter(isShown);
for (const element of document.querySelectorAll("[tabindex]"))
  if (element.tabIndex > 0) findings.push(`<${element.localName}> has a tabindex above 0`);
// Browsers other than Chromium let nobody scroll a box by keys that cannot have the focus.
for (const box of document.querySelectorAll("body *")) {
  if (box instanceof SVGElement || !isShown(box)) continue;
  const style = getComputedStyle(box);
  const scrolls = /^(auto|scroll)$/;
  const isScrolled = (scrolls.test(style.overflowX) && box.scrollWidth > box.clientWidth)
    || (scrolls.test(style.overflowY) && box.scrollHeight > box.clientHeight);
  if (!isScrolled) continue;
  const name = `<${box.localName} class="${box.className}">`;
  if (box.tabIndex < 0 && !stops.some((stop) => box.contains(stop))) findings.push(`the scroll box ${name} cannot be reached by the keyboard`);
  if (box.tabIndex >= 0 && !box.getAttribute("aria-label") && !box.getAttribute("aria-labelledby")) findings.push(`the scroll box ${name} has no aria-label`);
}
window.checked = { stops, seen: [] };
const described = (element) => `<${element.localName}> ${JSON.stringify(element.textContent.trim().replace(/\s+/g, " ").slice(0, 40))}`;
document.addEventListener("focusin", ({ target }) => {
  const style = getComputedStyle(target);
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 && !/, 0\)$/.test(style.outlineColor);
  window.checked.seen.push({ index: stops.indexOf(target), isOutlined: isOutlined || style.boxShadow !== "none", what: described(target) });
});
window.scrollTo(0, 0);
return { count: stops.length, findings };
