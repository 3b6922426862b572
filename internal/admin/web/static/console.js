// What pages gain where scripts run: they stay as things are, they have keys, and times
// are those of the reader. Without it each page is whole, as of when it was asked for.
"use strict";

const main = document.getElementById("main");

// Times come in UTC.
const local = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
function tellTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!isNaN(at)) {
      time.title = time.textContent;
      time.textContent = local.format(at);
    }
  }
}

// become makes an element what another one is, and keeps what need not change: where
// the focus is, what was picked, what was typed. Rows are known by their id.
function become(old, now) {
  if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName || old.id !== now.id) {
    old.replaceWith(now);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    return;
  }
  if (old.hasAttribute("data-still")) return; // it is the reader's
  if (old.nodeName === "TIME" && old.dateTime === now.dateTime) return;
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && !kept.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value && !kept.has(name)) old.setAttribute(name, value);
  }
  children(old, now);
}
const kept = new Set(["open", "checked", "value"]);

function children(old, now) {
  const byId = new Map();
  for (const child of old.children) if (child.id) byId.set(child.id, child);
  let at = old.firstChild;
  for (const next of [...now.childNodes]) {
    const known = next.id && byId.get(next.id);
    if (known) {
      if (known !== at) old.insertBefore(known, at);
      else at = at.nextSibling;
      become(known, next);
    } else if (next.id) {
      old.insertBefore(next, at);
      next.classList.add("fresh");
    } else if (at && !at.id) {
      const after = at.nextSibling;
      become(at, next);
      at = after;
    } else {
      old.insertBefore(next, at);
    }
  }
  while (at) {
    const after = at.nextSibling;
    at.remove();
    at = after;
  }
}

// A page that is live hears of what changes while somebody looks at it.
let stream;
function listen() {
  if (!main.dataset.live || document.hidden || stream) return;
  stream = new EventSource("/live?of=" + encodeURIComponent(main.dataset.live));
  stream.onmessage = (event) => {
    const now = new DOMParser().parseFromString(event.data, "text/html").body;
    for (const time of now.querySelectorAll("time[datetime]")) tellTimes(time.parentNode);
    const atEnd = [...main.querySelectorAll("[data-follow]")].filter((e) => e.scrollHeight - e.scrollTop - e.clientHeight < 40);
    children(main, now);
    for (const e of atEnd) e.scrollTop = e.scrollHeight;
    document.documentElement.dataset.heard = String(Number(document.documentElement.dataset.heard || 0) + 1);
    mark();
    tellNews();
  };
}
function rest() {
  stream?.close();
  stream = undefined;
}
// The inbox is followed while somebody looks elsewhere, too: its title tells of news.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) listen();
  else if (!main.querySelector("[data-news]")) rest();
});

// How much is unread stands before the title.
const title = document.title;
function tellNews() {
  const unread = main.querySelector("[data-unread]")?.dataset.unread;
  document.title = unread ? `(${unread}) ${title}` : title;
}
addEventListener("pagehide", rest);
addEventListener("pageshow", listen);

// Rows are walked by j and k.
let here = "";
function rows() {
  return [...document.querySelectorAll("table[data-rows] tbody tr")];
}
function mark() {
  for (const row of rows()) row.classList.toggle("here", row.id !== "" && row.id === here);
}
function walk(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.id === here);
  const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  here = row.id;
  mark();
  row.querySelector("[data-open]")?.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

let after = "";
document.addEventListener("keydown", (event) => {
  const on = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || on.closest("textarea, select, dialog, input:not([type=checkbox])")) return;
  const two = after + event.key;
  after = "";
  if (two.length === 2 && two[0] === "g") {
    document.querySelector(`.side nav [data-key="${CSS.escape(two[1])}"]`)?.click();
    return;
  }
  switch (event.key) {
    case "g":
      after = "g";
      return;
    case "/": {
      const field = document.querySelector("input[type=search]");
      if (!field) return;
      field.focus();
      field.select();
      break;
    }
    case "j":
      walk(1);
      break;
    case "k":
      walk(-1);
      break;
    case "x":
      document.querySelector("tr.here input[type=checkbox]")?.click();
      break;
    case "a":
      document.querySelector("[data-all]")?.click();
      break;
    case "u":
      document.querySelector("[data-hotkey=u]")?.click();
      break;
    case "?":
      document.getElementById("keys").showModal();
      break;
    default:
      return;
  }
  event.preventDefault();
});

// One box for all boxes of the page.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all]")) return;
  for (const box of document.querySelectorAll("input[name=pick]")) box.checked = event.target.checked;
});

// Appearance changes at once; the server only remembers it.
document.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (button?.name !== "theme") return;
  event.preventDefault();
  document.documentElement.dataset.theme = button.value;
  for (const other of button.parentNode.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  await fetch("/settings", { method: "POST", body: new URLSearchParams({ theme: button.value }), redirect: "manual" });
});

// What lies on a clipboard button.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) navigator.clipboard?.writeText(button.dataset.copy);
});

tellTimes(document);
tellNews();
listen();
