// The layout's defects, as sentences. Runs in the page.
const findings = [];
const viewport = document.documentElement.clientWidth;
const TOLERANCE = 1.5;
const described = (element) => {
  const id = element.id ? `#${element.id}` : "";
  const classes = (element.getAttribute("class") || "").trim().replace(/\s+/g, ".");
  return `<${element.localName}${id}${classes ? "." + classes : ""}>`;
};
const quoted = (text) => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 60));
const hides = (overflow) => overflow === "hidden" || overflow === "clip";
const scrolls = (overflow) => overflow === "auto" || overflow === "scroll";
// Text for screen readers alone is one pixel large.
const isForReadersAlone = (element) => {
  for (let each = element; each && each !== document.body; each = each.parentElement) {
    const box = boxOf(each);
    if (box && box.edge.width <= 1 && box.edge.height <= 1 && box.position === "absolute" && hides(box.overflowX)) return true;
  }
  return false;
};

const width = document.documentElement.scrollWidth;
if (width > viewport) findings.push(`the page is ${width} px wide and the window ${viewport} px`);

// What lies beyond the edge of the text looks broken, even if the window has room for it.
const main = document.querySelector("main") || document.body;
const edgeOfText = main.getBoundingClientRect().right - parseFloat(getComputedStyle(main).paddingRight);
for (const element of main.querySelectorAll("table, figure, p, ul, dl, details")) {
  const beyond = element.getBoundingClientRect().right - edgeOfText;
  if (beyond > TOLERANCE) findings.push(`${described(element)} reaches ${Math.round(beyond)} px beyond the edge of the text`);
}

// How a box treats what does not fit; found out once, since pages have thousands of texts. `null` for inline boxes of text, which neither
// clip nor scroll.
const boxes = new Map();
const boxOf = (element) => {
  if (!boxes.has(element)) {
    const { display, overflowX, overflowY, position } = getComputedStyle(element);
    const isInline = display === "inline" && !(element instanceof SVGElement);
    boxes.set(element, isInline ? null : { overflowX, overflowY, position, edge: element.getBoundingClientRect() });
  }
  return boxes.get(element);
};

// What keeps readers from a part of this rectangle, if anything does.
const cutBy = (element, rect) => {
  let [checksX, checksY] = [true, true];
  for (let each = element; each && each !== document.documentElement; each = each.parentElement) {
    const box = boxOf(each);
    if (!box) continue;
    if (scrolls(box.overflowX)) checksX = false;
    if (scrolls(box.overflowY)) checksY = false;
    const { edge } = box;
    if (checksX && hides(box.overflowX) && (rect.right > edge.right + TOLERANCE || rect.left < edge.left - TOLERANCE)) return `by ${described(each)}`;
    if (checksY && hides(box.overflowY) && (rect.bottom > edge.bottom + TOLERANCE || rect.top < edge.top - TOLERANCE)) return `by ${described(each)}`;
    if (box.position === "fixed") break;
  }
  if (checksX && (rect.right > viewport + TOLERANCE || rect.left < -TOLERANCE)) return "by the window";
  return null;
};

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = texts.nextNode(); node; node = texts.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || ["style", "script", "title", "desc"].includes(element.localName)) continue;
  if (!element.checkVisibility({ checkVisibilityCSS: true }) || isForReadersAlone(element)) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const rects = element instanceof SVGElement ? [element.getBoundingClientRect()] : [...range.getClientRects()];
  for (const rect of rects) {
    const cut = rect.width > 0 && rect.height > 0 && cutBy(element, rect);
    if (cut) {
      findings.push(`the text ${quoted(node.data)} in ${described(element)} is cut ${cut}`);
      break;
    }
  }
}

for (const element of document.querySelectorAll("body *")) {
  if (element instanceof SVGElement && element.localName !== "svg") continue;
  if (!element.checkVisibility({ checkVisibilityCSS: true }) || isForReadersAlone(element)) continue;
  const style = getComputedStyle(element);
  if (style.display === "inline") continue;
  const isBox = !(element instanceof SVGElement);
  if (isBox && hides(style.overflowX) && element.scrollWidth > element.clientWidth + TOLERANCE && element.textContent.trim())
    findings.push(`${described(element)} hides a part of ${quoted(element.textContent)}: ${element.scrollWidth} px in ${element.clientWidth} px`);
  const rect = element.getBoundingClientRect();
  if (["svg", "img"].includes(element.localName) && rect.width > 0 && cutBy(element, rect))
    findings.push(`the picture ${described(element)} is cut ${cutBy(element, rect)}`);
}
return findings;
