// What must not be in the page, or must be and is not, as sentences. Runs in the page.
const findings = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const scripts = all("script").length;
if (scripts > 0) findings.push(`it has ${scripts} <script>`);
for (const element of all("*"))
  for (const { name, value } of element.attributes) {
    if (/^on/i.test(name)) findings.push(`<${element.localName}> has the attribute ${name}`);
    if (/^\s*javascript:/i.test(value)) findings.push(`<${element.localName}> has ${name}="${value.slice(0, 60)}"`);
  }

const loads = ["img", "link", "script", "iframe", "object", "embed", "source", "video", "audio", "use", "image", "input"];
for (const element of all(loads.join()))
  for (const name of ["src", "href", "xlink:href", "data", "srcset"]) {
    const value = element.getAttribute(name);
    if (value && !/^(data:|#)/.test(value)) findings.push(`<${element.localName}> loads ${value.slice(0, 100)}`);
  }
for (const entry of performance.getEntriesByType("resource"))
  if (!entry.name.startsWith("data:")) findings.push(`it requested ${entry.name.slice(0, 100)}`);
for (const style of all("style"))
  for (const [, address] of style.textContent.matchAll(/(?:url\(\s*["']?|@import\s+["']?)([^"')\s]+)/g))
    if (!/^(data:|#)/.test(address)) findings.push(`a style loads ${address.slice(0, 100)}`);

const ids = new Set();
for (const { id } of all("[id]")) {
  if (ids.has(id)) findings.push(`the id "${id.slice(0, 60)}" appears twice`);
  ids.add(id);
}
for (const link of all("a[href^='#']")) {
  const target = decodeURIComponent(link.getAttribute("href").slice(1));
  if (target && !ids.has(target)) findings.push(`a link leads to "#${target.slice(0, 60)}", which is not there`);
}
if (!document.documentElement.lang) findings.push("the page does not state its language");
if (!document.querySelector("meta[name=viewport]")) findings.push("the page has no <meta name=viewport>: phones show it small");
if (!document.title.trim()) findings.push("the page has no title");
for (const picture of all("img:not([alt])")) findings.push(`<img> without alt: ${picture.getAttribute("src").slice(0, 60)}`);
for (const svg of all("svg")) {
  const isHidden = svg.closest("[aria-hidden=true]");
  const isNamed = svg.getAttribute("aria-label") || svg.getAttribute("aria-labelledby") || svg.querySelector(":scope > title");
  if (!isHidden && !isNamed) findings.push("an <svg> has neither a name nor aria-hidden");
}
const files = all("a[href]").map((link) => link.href).filter((address) => address.startsWith("file:"));
return { findings, files: [...new Set(files.map((address) => address.replace(/#.*/, "")))] };
