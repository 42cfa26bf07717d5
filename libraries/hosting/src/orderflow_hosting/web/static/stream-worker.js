"use strict";
// Follows one stream for all tabs of a session; the worker's name is the stream's URL. A tab sends
// "here" every few seconds, and "bye" when it closes. A tab that crashed sends nothing more.

const SILENT_MS = 150_000; // browsers slow down the timers of a tab in the background to a minute
const SWEEP_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

const tabs = new Map(); // the port of each tab, and the time of its last message
let source = null;
let isOpen = null; // null until the first connection succeeds or fails
let version = "";
let pause = FIRST_PAUSE_MS;

function broadcast(message) {
  for (const port of tabs.keys()) port.postMessage(message);
}

function follow() {
  source = new EventSource(self.name);
  source.onopen = () => {
    pause = FIRST_PAUSE_MS;
    isOpen = true;
    broadcast({ isOpen });
  };
  source.onerror = () => {
    isOpen = false;
    broadcast({ isOpen, failed: true });
    if (source.readyState !== EventSource.CLOSED) return; // it connects again by itself
    setTimeout(followAgain, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  };
  source.addEventListener("changed", (event) => {
    version = event.lastEventId;
    broadcast({ isOpen, changed: event.data, version });
  });
}

function followAgain() {
  if (source?.readyState === EventSource.CLOSED) follow();
}

function leave(port) {
  tabs.delete(port);
  if (tabs.size > 0 || source === null) return;
  source.close();
  source = null;
  isOpen = null;
}

function here(port) {
  const isNew = !tabs.has(port);
  tabs.set(port, Date.now());
  if (source === null) follow();
  // Something may have changed after the page was rendered and before its first message.
  port.postMessage(isNew && isOpen ? { isOpen, changed: "", version } : { isOpen });
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => (data === "bye" ? leave(port) : here(port));
};

setInterval(() => {
  const oldest = Date.now() - SILENT_MS;
  for (const [port, seenAt] of tabs) if (seenAt < oldest) leave(port);
}, SWEEP_MS);
