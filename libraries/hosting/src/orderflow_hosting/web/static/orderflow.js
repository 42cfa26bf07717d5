"use strict";
// What the pages do beyond links and forms: local times, countdowns, and a notice when the
// connection is lost. All of it is a convenience: every page works without it.

(() => {
  const URGENT_SECONDS = 3600;

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.valueOf())) continue;
      time.dataset.local = "";
      time.title = time.textContent;
      time.textContent = at.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    }
  }

  // Searches use the same time zone. Times in the URL that are in another zone are converted.
  function localFields() {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    if (!timeZone || timeZone === "Etc/Unknown") return; // it stays UTC
    for (const zone of document.querySelectorAll("form input[name=zone]")) {
      for (const field of zone.form.querySelectorAll("input[data-at]")) {
        if (zone.value === timeZone && field.value) continue;
        const at = new Date(field.dataset.at);
        // The Swedish format is the one that fields take.
        const [day, time] = at.toLocaleString("sv-SE", { timeZone }).split(" ");
        field.value = field.type === "date" ? day : `${day}T${time}`;
      }
      for (const name of zone.form.querySelectorAll("[data-zone-name]")) name.textContent = timeZone;
      zone.value = timeZone;
    }
  }

  function remaining(seconds) {
    const s = Math.floor(seconds);
    const two = (n) => String(n).padStart(2, "0");
    if (s >= 86400) return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
    if (s >= 3600) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
    if (s >= 60) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
    return `${s} s`;
  }

  // <span class="countdown" data-until="2026-01-01T00:00:00Z">in 3 h</span>
  function countDown() {
    for (const span of document.querySelectorAll(".countdown[data-until]")) {
      const left = (new Date(span.dataset.until) - Date.now()) / 1000;
      const text = left > 0 ? remaining(left) : "expired";
      if (span.textContent !== text) span.textContent = text;
      span.classList.toggle("urgent", left < URGENT_SECONDS);
    }
  }

  const banner = () => document.getElementById("connection");
  let lost = false;

  function showNotice(text, link) {
    const place = banner();
    place.textContent = text;
    if (link) {
      const a = document.createElement("a");
      a.href = link.href;
      a.textContent = link.text;
      place.append(" ", a);
    }
    place.hidden = text === "";
  }

  async function whyLost() {
    const { session } = document.body.dataset;
    try {
      const response = await fetch(location.href, {
        redirect: "manual", headers: { Accept: "text/html" },
      });
      if (response.type === "opaqueredirect") {
        const next = encodeURIComponent(location.pathname + location.search);
        showNotice("You are signed out.", { href: `/sign-in?next=${next}`, text: "Sign in again" });
        return;
      }
      if (response.ok && !(await response.text()).includes(`data-session="${session}"`)) {
        showNotice("Someone has signed in again in this browser.",
          { href: location.href, text: "Load this page again" });
        return;
      }
    } catch { /* the service does not respond at all */ }
    if (lost) showNotice("Connection lost. This page may be out of date. Reconnecting …");
  }

  function connectionLost() {
    lost = true;
    whyLost();
  }

  function connectionBack() {
    if (!lost) return;
    lost = false;
    showNotice("");
    htmx.trigger(document.body, "refresh");
  }

  document.addEventListener("htmx:sseError", connectionLost);
  document.addEventListener("htmx:sseOpen", connectionBack);

  // A part that could not be fetched is left as it is, and fetched again after a pause.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    if (xhr.status >= 400 && requestConfig.verb === "get") {
      event.detail.shouldSwap = false;
      setTimeout(() => htmx.trigger(document.body, "refresh"), 3000);
    }
  });

  document.addEventListener("htmx:load", (event) => { showTyped(event.target); localTimes(event.target); countDown(); });
  for (const moment of ["htmx:afterSwap", "htmx:afterSettle"]) { // before it is painted, and after
    document.addEventListener(moment, () => { localTimes(document); countDown(); });
  }
  // A live change replaces what is shown, but never what somebody has typed, chosen or
  // opened meanwhile.
  function isEdited(control) {
    if (control instanceof HTMLTextAreaElement) return control.value !== control.defaultValue;
    if (control instanceof HTMLOptionElement) return control.selected !== control.defaultSelected;
    if (!(control instanceof HTMLInputElement)) return false;
    return control.value !== control.defaultValue || control.checked !== control.defaultChecked;
  }

  if (typeof Idiomorph !== "undefined") {
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
      !(["value", "checked", "selected"].includes(name) && isEdited(element)) &&
      !(name === "open" && element instanceof HTMLDetailsElement);
  }
  // The page of a refused form: give it the URL under which it can be loaded again, and mark
  // what was typed as edited, so that no live change replaces it.
  function showTyped(root) {
    const note = root.querySelector(".refused-form");
    if (!note) return;
    history.replaceState(null, "", note.dataset.at);
    for (const control of document.querySelectorAll("main textarea, main input:not([type=hidden])")) {
      const { value, checked } = control;
      if (control.type === "checkbox") control.defaultChecked = false;
      else control.defaultValue = "";
      control.value = value;
      control.checked = checked;
    }
  }

  // A link that is shown as a button works like one, with the space bar too.
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches("a[role=button]")) return;
    event.preventDefault();
    event.target.click();
  });

  document.addEventListener("DOMContentLoaded", () => {
    showTyped(document);
    localTimes(document);
    localFields();
    countDown();
  });
  setInterval(countDown, 1000);
})();
