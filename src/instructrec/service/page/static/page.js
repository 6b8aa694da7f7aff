"use strict";
// Every form and link works without this file. With it nothing reloads: the answer of the server takes the place of the page,
// items glide to their new places, focus stays where it was, and what changed is read aloud.

const KEY = "instructrec-key";
const REFRESH_MS = 10000;
let busy = false;
let refreshing = null;

const page = () => document.getElementById("page");
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function headers() {
  const key = sessionStorage.getItem(KEY);
  return key ? { "X-API-Key": key } : {};
}

async function ask(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { ...headers(), ...(options.headers || {}) }, credentials: "same-origin" });
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { answer, parsed };
}

function warn(words) {
  const place = document.getElementById("alert");
  place.textContent = words;
  clearTimeout(warn.timer);
  warn.timer = setTimeout(() => { place.textContent = ""; }, 8000);
}

function say(words) {
  const place = document.getElementById("live");
  place.textContent = "";
  // A reader hears a text only where it changes, even if it is the same as before.
  setTimeout(() => { place.textContent = words; }, 60);
}

// Ask for a page and show it in place of this one. `keep`: this one stays where the other tells of a problem.
async function go(url, options = {}, { keep = false, push = true, quiet = false } = {}) {
  if (busy) return;
  busy = true;
  page().setAttribute("aria-busy", "true");
  try {
    const { answer, parsed } = await ask(url, options);
    const fresh = parsed.getElementById("page");
    const problem = parsed.getElementById("problem");
    if (!fresh) throw new Error("no page");
    if (keep && answer.status >= 400 && !parsed.getElementById("key")) {
      warn(page().dataset.refused.replace("{words}", (problem || fresh).textContent.trim()));
      return;
    }
    show(parsed, fresh, quiet);
    const at = fresh.dataset.url;
    if (at && push && at !== location.pathname + location.search) history.pushState(null, "", at);
  } catch {
    warn(page().dataset.failed);
  } finally {
    busy = false;
    page().removeAttribute("aria-busy");
  }
}

function show(parsed, fresh, quiet) {
  const places = new Map([...document.querySelectorAll("[data-item]")].map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
  const focus = marked(document.activeElement);
  page().replaceWith(document.adoptNode(fresh));
  document.title = parsed.title;
  document.documentElement.lang = parsed.documentElement.lang;
  if (!still()) glide(places);
  refocus(focus);
  const told = document.querySelector("[data-say]");
  if (told && !quiet) say(told.textContent.trim());
  settle();
}

// How to find an element again in the next page.
function marked(element) {
  if (!element || element === document.body || element.id === "main") return null;
  if (element.id) return { id: element.id, start: element.selectionStart };
  return { name: element.name, value: element.value, item: element.closest("[data-item]")?.dataset.item };
}

function refocus(focus) {
  if (!focus) return;
  let found = focus.id && document.getElementById(focus.id);
  if (!found && focus.name) {
    const scope = focus.item ? document.querySelector(`[data-item="${CSS.escape(focus.item)}"]`) : document;
    const word = (focus.value || "").split(" ")[0];
    found = scope && [...scope.querySelectorAll("button")].find((one) => one.name === focus.name && (focus.item ? one.value.split(" ")[0] === word : one.value === focus.value));
  }
  found = found || document.querySelector(".reasons button") || document.getElementById("list-title") || document.getElementById("main");
  found.focus({ preventScroll: found.id === "list-title" || found.id === "main" });
}

function glide(places) {
  const timing = { duration: 420, easing: "cubic-bezier(.2, .7, .2, 1)" };
  for (const row of document.querySelectorAll("[data-item]")) {
    if (!places.size) return;
    const before = places.get(row.dataset.item);
    if (before === undefined) {
      row.animate([{ opacity: 0, transform: "translateY(12px)" }, { opacity: 1, transform: "none" }], timing);
    } else {
      const by = before - row.getBoundingClientRect().top;
      if (Math.abs(by) > 2) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], timing);
    }
  }
}

// Reasons that took longer than the list: they are put into it when they are there, and nothing else moves.
async function reasons(tries = 4) {
  const form = document.getElementById("state");
  if (!document.getElementById("later") || !tries) return;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("act", "again");
  try {
    const { answer, parsed } = await ask(form.action, { method: "POST", body: fields });
    if (form !== document.getElementById("state") || !answer.ok) return;
    if (parsed.getElementById("later")) {
      setTimeout(() => reasons(tries - 1), 1500);
      return;
    }
    for (const row of document.querySelectorAll("[data-item]")) {
      const found = parsed.querySelector(`[data-item="${CSS.escape(row.dataset.item)}"] .reason`);
      if (found && !row.querySelector(".reason")) row.querySelector(".acts").before(document.adoptNode(found));
    }
    document.getElementById("later").remove();
  } catch {
    // The note with its button stays: people can ask themselves.
  }
}

// What a page that was just shown needs.
function settle() {
  clearTimeout(settle.timer);
  settle.timer = setTimeout(reasons, 1200);
  for (const link of document.querySelectorAll("[data-why]")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-expanded", "false");
  }
  const owner = document.querySelector("[data-refresh]");
  clearInterval(refreshing);
  if (owner && sessionStorage.getItem("refresh") !== "no") refreshing = setInterval(refresh, REFRESH_MS);
  const check = document.getElementById("refresh");
  if (check) {
    check.closest("label").hidden = false;
    check.checked = sessionStorage.getItem("refresh") !== "no";
  }
  // The first view of a service that wants keys is the form; a key that is known already opens the page.
  if (document.getElementById("key") && sessionStorage.getItem(KEY) && !settle.tried) {
    settle.tried = true;
    go(location.href, {}, { push: false });
  }
}

function refresh() {
  const here = document.activeElement;
  if (document.hidden || (here && /^(INPUT|SELECT|TEXTAREA)$/.test(here.tagName) && here.id !== "refresh")) return;
  go(location.href, {}, { keep: true, push: false, quiet: true });
}

async function why(link) {
  const place = link.closest(".what").querySelector(".evidence");
  const open = link.getAttribute("aria-expanded") !== "true";
  link.setAttribute("aria-expanded", String(open));
  place.hidden = !open;
  if (!open || place.childElementCount) return;
  place.textContent = page().dataset.working;
  try {
    const { answer, parsed } = await ask(link.href);
    const found = parsed.getElementById("why");
    if (!answer.ok || !found) throw new Error((parsed.getElementById("problem") || {}).textContent || page().dataset.failed);
    place.replaceChildren(document.adoptNode(found));
  } catch (problem) {
    place.textContent = problem.message;
  }
}

async function download(link) {
  try {
    const answer = await fetch(link.href, { headers: headers() });
    if (!answer.ok) throw new Error();
    const made = document.createElement("a");
    made.href = URL.createObjectURL(await answer.blob());
    made.download = link.download;
    made.click();
    URL.revokeObjectURL(made.href);
  } catch {
    warn(page().dataset.failed);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.id === "key") {
    sessionStorage.setItem(KEY, document.getElementById("api-key").value.trim());
    settle.tried = true;
    go(location.href, {}, { push: false });
    return;
  }
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const url = new URL(form.getAttribute("action") || location.href, location.href);
  if (form.method === "post") {
    go(url.href, { method: "POST", body: fields }, { keep: true });
  } else {
    url.search = fields.toString();
    go(url.href).then(() => history.replaceState(null, "", url));
  }
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if ("why" in link.dataset) {
    event.preventDefault();
    why(link);
  } else if ("export" in link.dataset) {
    event.preventDefault();
    download(link);
  } else if ("go" in link.dataset) {
    event.preventDefault();
    go(link.href).then(() => scrollTo(0, 0));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches("[role=button][data-why]")) {
    event.preventDefault();
    why(event.target);
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "refresh") {
    sessionStorage.setItem("refresh", event.target.checked ? "yes" : "no");
    settle();
  }
});

// The search follows what is typed.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form || !form.dataset.live) return;
  clearTimeout(form.timer);
  form.timer = setTimeout(async () => {
    const url = new URL(form.getAttribute("action"), location.href);
    url.search = new URLSearchParams(new FormData(form)).toString();
    try {
      const { parsed } = await ask(url.href);
      const found = parsed.querySelector(form.dataset.live);
      const here = document.querySelector(form.dataset.live);
      if (found && here) here.replaceChildren(...found.childNodes);
    } catch {
      warn(page().dataset.failed);
    }
  }, 180);
});

addEventListener("popstate", () => go(location.href, {}, { push: false }));
settle();
