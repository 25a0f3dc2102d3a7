// One stream of changes for all tabs of a browser: a shared worker holds it and tells every page.
"use strict";
const ports = new Set();
let stream = null;
let since = 0;
let address = "";

function tell(message) {
  for (const port of ports) port.postMessage(message);
}

function open() {
  if (stream) stream.close();
  stream = new EventSource(`${address}?since=${since}`);
  stream.addEventListener("hello", (event) => tell({ kind: "hello", data: JSON.parse(event.data) }));
  stream.addEventListener("change", (event) => {
    const data = JSON.parse(event.data);
    since = Math.max(since, data.sequence || 0);
    tell({ kind: "change", data });
  });
  stream.addEventListener("presence", (event) => tell({ kind: "presence", data: JSON.parse(event.data) }));
  // The session has ended: pages ask to sign in again, and start the stream anew after that.
  stream.addEventListener("end", (event) => {
    stream.close();
    tell({ kind: "end", data: JSON.parse(event.data) });
  });
  stream.onerror = () => {
    tell({ kind: "lost" });
    // The browser tries again by itself, unless the server refused; then we do, slowly.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => ports.size && open(), 10000);
  };
}

self.onconnect = (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data.kind === "start") {
      address = data.address;
      // What came between the page's first answer and now, it has missed.
      if (data.since < since) port.postMessage({ kind: "change", data: { sequence: since, changes: [], reload: true } });
      since = Math.max(since, data.since);
      if (!stream || stream.readyState === EventSource.CLOSED) open();
      else port.postMessage({ kind: "hello", data: { sequence: since } });
    }
    if (data.kind === "bye") {
      ports.delete(port);
      if (!ports.size && stream) {
        stream.close();
        stream = null;
      }
    }
  };
  port.start();
};
