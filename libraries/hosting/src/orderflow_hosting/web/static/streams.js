"use strict";
// One stream of changes for all tabs of a session. A browser opens six connections to a host, so
// with a stream for each tab, the seventh would wait for ever. If a browser has no shared workers,
// tabs poll every few seconds instead.

(() => {
  const BEAT_MS = 5_000;
  const MAX_UNANSWERED = 2;

  // Replaces an EventSource. The fragment of the URL says which changes concern the page: those of
  // one `subject`, or those that lead to another version than the one it has `seen`.
  class Stream extends EventTarget {
    constructor(address) {
      super();
      const url = new URL(address, location.href);
      const concern = new URLSearchParams(url.hash.slice(1));
      this.subject = concern.get("subject");
      this.seen = concern.get("seen");
      url.searchParams.set("session", document.body.dataset.session);
      this.name = url.pathname + url.search;
      this.readyState = EventSource.CONNECTING;
      this.leaving = new AbortController();
      this.connect();
      this.timer = setInterval(() => this.beat(), BEAT_MS);
      this.on(window, "pagehide", () => this.port?.postMessage("bye"));
      this.on(window, "pageshow", (event) => { if (event.persisted) this.beat(); });
      this.on(document, "visibilitychange", () => { if (!document.hidden) this.beat(); });
    }

    on(target, type, listener) {
      target.addEventListener(type, listener, { signal: this.leaving.signal });
    }

    connect() {
      this.unanswered = 0;
      try {
        const worker = new SharedWorker(document.body.dataset.streamWorker, { name: this.name });
        worker.onerror = () => this.poll();
        this.port = worker.port;
        this.port.onmessage = ({ data }) => this.receive(data);
        this.beat();
      } catch { // there are none, or they are forbidden
        this.poll();
      }
    }

    poll() {
      if (this.isPolling || this.readyState === EventSource.CLOSED) return;
      this.isPolling = true;
      this.port = null;
      this.on(document, "htmx:sendError", () => this.fail());
      this.on(document, "htmx:afterOnLoad", () => this.open());
    }

    beat() {
      if (this.isPolling) {
        if (!document.hidden) this.change("", "");
      } else if (this.unanswered < MAX_UNANSWERED) {
        this.unanswered += 1;
        this.port.postMessage("here");
      } else { // the worker has died
        this.fail();
        this.connect();
      }
    }

    receive({ isOpen, failed, changed, version }) {
      this.unanswered = 0;
      if (isOpen) this.open();
      if (failed || (isOpen === false && this.readyState === EventSource.OPEN)) this.fail();
      if (changed !== undefined) this.change(changed, version);
    }

    open() {
      if (this.readyState !== EventSource.CONNECTING) return;
      this.readyState = EventSource.OPEN;
      this.onopen?.(new Event("open"));
    }

    fail() {
      if (this.readyState === EventSource.CLOSED) return;
      this.readyState = EventSource.CONNECTING;
      this.onerror?.(new Event("error"));
    }

    change(subjects, version) {
      if (this.readyState === EventSource.CLOSED || (version && version === this.seen)) return;
      this.seen = version;
      if (this.subject && subjects && !subjects.split(" ").includes(this.subject)) return;
      this.dispatchEvent(new MessageEvent("changed", { data: subjects, lastEventId: version }));
    }

    close() {
      this.readyState = EventSource.CLOSED;
      this.leaving.abort();
      clearInterval(this.timer);
      this.port?.postMessage("bye");
    }
  }

  htmx.createEventSource = (address) => new Stream(address);
})();
