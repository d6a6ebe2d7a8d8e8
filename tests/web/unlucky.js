// Bad luck for a page, in its own browser: a microphone prompt that waits, sockets that break or do not open, offers that
// get lost, a microphone that fails. Real sockets and devices otherwise.
const unlucky = (globalThis.unlucky = { prompts: [], streams: [], sockets: [], refuse: 0, deaf: 0 });

const devices = navigator.mediaDevices;
const open = devices.getUserMedia.bind(devices);
devices.getUserMedia = async (constraints) => {
  if (sessionStorage.getItem("unlucky.broken")) throw new DOMException("gone", "NotFoundError");
  if (unlucky.asks) await new Promise((allow) => unlucky.prompts.push(allow));
  const stream = await open(constraints);
  unlucky.streams.push(stream);
  return stream;
};

const Socket = globalThis.WebSocket;
globalThis.WebSocket = class extends Socket {
  constructor(address) {
    super(unlucky.refuse-- > 0 ? "ws://127.0.0.1:9/" : address);
    unlucky.sockets.push(this);
  }
  send(text) {
    const lost = JSON.parse(text).type === "offer" && unlucky.deaf-- > 0;
    if (!lost) super.send(text);
  }
};

// what the client waits for longest, in a moment
const after = globalThis.setTimeout;
globalThis.setTimeout = (call, ms, ...given) => after(call, ms === 20000 ? 1000 : ms, ...given);
