// Antiphon's client for browsers: one call with an agent. As a script it sets globalThis.Antiphon; antiphon.mjs is the module.
//
//   const call = new Antiphon.AntiphonClient({ url: "/voice" });
//   call.on("caption", (caption) => ...);
//   await call.connect();
//
// docs/browser.md describes options, methods and events. One WebSocket carries everything but the sound; the sound is a peer
// connection that is made anew when the network changes. The call outlives both, and a reload of the page.
(() => {
  "use strict";

  const PLAYOUT_EVERY = 200; // ms between two reports of what has been played
  const LEVEL_EVERY = 60; // ms between two level events
  const RETRY = [250, 500, 1000, 2000, 4000]; // ms before each try to come back
  const LOST_AFTER = 3000; // ms that a peer connection may be disconnected before it is made anew
  const CONNECT_WITHIN = 20000; // ms from an offer until the sound must be up
  const LAST_WORDS = 2000; // ms after hanging up in which the server may say what the call came to
  const OPUS_RATE = 48000; // Hz of RTP timestamps
  const KEY = "antiphon.call";
  const PASSING = ["unreachable", "failed", "busy", "limited"]; // refusals after which coming back is tried again

  /** What went wrong: `code` for programs, `message` and `hint` for people. */
  class AntiphonError extends Error {
    constructor(code, message, hint = "") {
      super(message);
      this.name = "AntiphonError";
      this.code = code;
      this.hint = hint;
    }
  }

  /** One call. Events: state, caption, agentState, userState, level, timing, tool, error, ended, blocked, muted. */
  class AntiphonClient extends EventTarget {
    /**
     * url: where the server's routes are (default: the folder of the page). token: what the server's `auth` asks for, or an
     * async function that gives it. audio: constraints of the microphone. storage: keeps the call over a reload (default:
     * sessionStorage; null: nothing is kept). element: the <audio> to play on.
     */
    constructor({ url = ".", token = "", audio = {}, storage, element } = {}) {
      super();
      this.base = new URL(url.endsWith("/") ? url : `${url}/`, document.baseURI);
      this.token = token;
      this.audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...audio };
      this.storage = storage === undefined ? safeStorage() : storage;
      this.element = element || new Audio();
      this.element.autoplay = true;
      this.state = "idle"; // connecting, connected, reconnecting, ended
      this.muted = false;
      this.captions = new Map();
      this.agentState = "initializing";
      this.session = "";
      this.microphone = null; // MediaStream of the caller
      this.remoteStream = null; // MediaStream of the agent
      this.stats = null; // the newest measures of the connection, from the server
      this._call = null; // the call of now; an await may outlast it: its `over` then says how it ended
      this._up = false; // whether the socket has been welcomed
      this._resume = "";
      this._devices = { input: "", output: "" };
      this._offers = 0;
      this._tries = 0;
      this._timers = new Set();
      this._onOnline = () => this._networkChanged();
    }

    /** Listen to an event; returns a function that stops it. The handler gets the event's detail. */
    on(name, handler) {
      const listener = (event) => handler(event.detail);
      this.addEventListener(name, listener);
      return () => this.removeEventListener(name, listener);
    }

    /** Whether a call of this tab may still be there to come back to (after a reload). */
    get resumable() {
      return Boolean(this._remembered());
    }

    /**
     * Begin a call, or come back to the one this tab had. microphone: false calls without one (typing, and hearing the agent).
     * Resolves when the server has answered; rejects with an AntiphonError.
     */
    async connect({ microphone = true } = {}) {
      if (this.state !== "idle" && this.state !== "ended") return;
      if (!globalThis.RTCPeerConnection || !globalThis.WebSocket) {
        throw new AntiphonError("unsupported", "This browser cannot make calls.", "Any current browser can.");
      }
      const call = (this._call = { over: null });
      this._setState("connecting");
      this._lingering?.close(1000);
      this._lingering = null;
      this._tries = 0;
      this._makeContext();
      try {
        this.microphone = microphone ? await this._capture(call) : null;
        await this._open(call);
        if (call.over) throw cutShort(call);
        globalThis.addEventListener("online", this._onOnline);
        await this._offer();
        if (call.over) throw cutShort(call);
      } catch (error) {
        if (call.over) throw cutShort(call);
        const why = known(error);
        this._send({ type: "bye" });
        // What failed before the server was reached says nothing about the call to come back to.
        this._finish({ reason: why.code, message: why.message }, { quiet: true, keep: !this.session });
        throw why;
      }
    }

    /** Hang up. */
    disconnect() {
      if (this.state === "idle" || this.state === "ended") return;
      this._send({ type: "bye" });
      this._finish({ reason: "participant_disconnected", message: "You hung up." }, { linger: true });
    }

    /** Silence the microphone, or give it back. */
    mute(muted = true) {
      this.muted = muted;
      for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
      this._send({ type: "mute", muted });
      this._emit("muted", { muted });
    }

    /** Say something in writing: it is a turn of the caller's. Returns whether it went: not while the connection is away. */
    sendText(text) {
      return Boolean(text.trim()) && this._up && this._send({ type: "text", text: text.trim() });
    }

    /** Press keys: 0-9 * # A-D. */
    sendDigits(digits) {
      this._send({ type: "dtmf", digits });
    }

    /** Other devices, by the deviceId of enumerateDevices(); "" is the default one. Works before and in a call. */
    async setDevices({ input, output } = {}) {
      if (output !== undefined) {
        this._devices.output = output;
        if (this.element.setSinkId) await this.element.setSinkId(output);
      }
      if (input !== undefined && input !== this._devices.input) {
        this._devices.input = input;
        await this._recapture();
      }
    }

    /** Other constraints of the microphone, for example { echoCancellation: false }. Works before and in a call. */
    async setAudio(constraints) {
      Object.assign(this.audio, constraints);
      await this._recapture();
    }

    /** After a `blocked` event, from a click: let the page sound. */
    async startAudio() {
      await this._context?.resume();
      await this.element.play();
    }

    // --- microphone and loudspeaker ------------------------------------------------------------------------------

    async _capture(call) {
      if (!globalThis.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
        throw new AntiphonError(
          "insecure",
          "The browser gives no microphone to this address.",
          "It does on https:// and on localhost. Start the server with --tls, or open it on the machine it runs on.",
        );
      }
      const audio = { ...this.audio };
      if (this._devices.input) audio.deviceId = { exact: this._devices.input };
      let stream;
      try {
        stream = await navigator.mediaDevices.getUserMedia({ audio });
      } catch (error) {
        throw microphoneError(error);
      }
      if (call.over) {
        for (const track of stream.getTracks()) track.stop();
        throw cutShort(call);
      }
      for (const track of stream.getAudioTracks()) {
        track.enabled = !this.muted;
        track.onended = () => this._problem("microphone-lost", "The microphone is gone.", "Choose another one.");
      }
      this._meter("caller", stream);
      return stream;
    }

    async _recapture() {
      if (!this.microphone) return;
      const stream = await this._capture(this._call);
      for (const track of this.microphone.getTracks()) track.stop();
      this.microphone = stream;
      await this._sender?.replaceTrack(this.microphone.getAudioTracks()[0]);
    }

    _makeContext() {
      const Context = globalThis.AudioContext || globalThis.webkitAudioContext;
      if (!Context || this._context) return;
      this._context = new Context({ latencyHint: "interactive" });
      this._meters = {};
      this._context.resume().catch(() => {});
      this._every(LEVEL_EVERY, () => {
        const levels = { caller: this.muted ? -100 : this._level("caller"), agent: this._level("agent") };
        this._emit("level", levels);
      });
    }

    _meter(side, stream) {
      if (!this._context) return;
      this._meters[side]?.source.disconnect();
      const source = this._context.createMediaStreamSource(stream);
      const analyser = this._context.createAnalyser();
      analyser.fftSize = 1024;
      source.connect(analyser);
      this._meters[side] = { source, analyser, samples: new Float32Array(analyser.fftSize) };
    }

    /** Loudness in dBFS of the last 20 ms. */
    _level(side) {
      const meter = this._meters?.[side];
      if (!meter) return -100;
      meter.analyser.getFloatTimeDomainData(meter.samples);
      let sum = 0;
      for (const value of meter.samples) sum += value * value;
      return Math.max(-100, 10 * Math.log10(sum / meter.samples.length + 1e-10));
    }

    // --- the socket ----------------------------------------------------------------------------------------------

    /** Open the socket and say hello; resolves with the welcome. */
    async _open(call) {
      const token = typeof this.token === "function" ? await this.token() : this.token;
      if (call.over) throw cutShort(call);
      const address = new URL("socket", this.base);
      address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
      return new Promise((resolve, reject) => {
        const socket = (this._socket = new WebSocket(address));
        let opened = false;
        let problem = null;
        socket.onopen = () => {
          opened = true;
          socket.send(JSON.stringify({ type: "hello", token, resume: this._remembered() }));
        };
        socket.onmessage = (event) => {
          const message = JSON.parse(event.data);
          if (socket === this._lingering) return void this._lastWords(message);
          if (socket !== this._socket) return;
          if (message.type === "welcome") {
            this._up = true;
            this._welcome(message);
            resolve();
          } else if (message.type === "error" && !this._up) problem = message;
          else this._take(message);
          if (message.type === "ended") reject(new AntiphonError(message.reason, message.message));
        };
        socket.onclose = async (event) => {
          if (socket !== this._socket) return reject(cutShort(call));
          this._socket = null;
          if (this._up) return this._socketClosed(event);
          if (problem || refusedFor(event.code)) {
            reject(new AntiphonError(refusedFor(event.code) || "refused", problem?.error || event.reason, problem?.hint));
          } else if (!opened) {
            reject(await this._whyNot());
          } else {
            reject(new AntiphonError("unreachable", "The server closed the connection."));
          }
        };
      });
    }

    /** A socket that does not open says nothing; the server says why at the address beside it. */
    async _whyNot() {
      try {
        const response = await fetch(new URL("check", this.base), { cache: "no-store" });
        if (response.status !== 204) {
          const { error, hint } = await response.json();
          return new AntiphonError(refusedFor(4000 + response.status) || "refused", error, hint);
        }
      } catch {
        // no answer at all: said below
      }
      return new AntiphonError("unreachable", "The server cannot be reached.", "Is it running? Is the network up?");
    }

    /** Returns whether there was a socket to send it on. */
    _send(message) {
      if (this._socket?.readyState !== WebSocket.OPEN) return false;
      this._socket.send(JSON.stringify(message));
      return true;
    }

    /** A socket that had been welcomed is gone. 1013 is no refusal then: the server lets a page that is too slow come back. */
    _socketClosed(event) {
      this._up = false;
      if (event.code === 4409) return this._finish({ reason: "replaced", message: event.reason }, { keep: true });
      if (event.code !== 1013 && refusedFor(event.code)) {
        return this._finish({ reason: refusedFor(event.code), message: event.reason });
      }
      this._comeBack();
    }

    /** Try until the server takes us back or says that the call is over. */
    async _comeBack() {
      const call = this._call;
      const lostAt = performance.now();
      this._setState("reconnecting");
      for (let tries = 0; !this._up; tries++) {
        await new Promise((resolve) => this._after(RETRY[Math.min(tries, RETRY.length - 1)], resolve));
        if (call.over) return;
        try {
          await this._open(call);
        } catch (error) {
          if (call.over) return;
          const { code, message } = known(error);
          if (!PASSING.includes(code)) return this._finish({ reason: code, message });
          if (performance.now() - lostAt > 1000 * this.resumeWindow) {
            return this._finish({ reason: "unreachable", message: "The server could not be reached again." });
          }
        }
        if (call.over) return;
      }
      if (this._peer?.connectionState !== "connected") return this._offerAgain();
      this._setState("connected");
      this._send({ type: "mute", muted: this.muted });
    }

    _welcome(message) {
      this.session = message.session;
      this.resumed = message.resumed;
      this.resumeWindow = message.resume_window;
      this._iceServers = message.ice_servers;
      this._remember(message.resume);
      if (message.resumed) this.captions.clear();
      for (const caption of message.captions) this._caption(caption);
      this._agent(message.agent_state);
      this._emit("userState", { state: message.user_state });
    }

    _take(message) {
      switch (message.type) {
        case "caption":
          return this._caption(message);
        case "agent_state":
          return this._agent(message.state);
        case "user_state":
          return this._emit("userState", { state: message.state });
        case "timing":
          return this._emit("timing", message);
        case "tool":
          return this._emit("tool", message);
        case "answer":
          return message.id === this._offers ? this._answered(message.sdp) : undefined;
        case "candidate":
          return message.id === this._offers ? this._candidate(message.candidate) : undefined;
        case "connection":
          if (message.id === this._offers && ["lost", "closed"].includes(message.state)) this._peerLost();
          return;
        case "stats":
          this.stats = message;
          return this._emit("stats", message);
        case "error":
          return this._problem(message.source || "connection", message.error, message.hint);
        case "ended":
          return this._finish(message);
      }
    }

    _lastWords(message) {
      if (message.type === "caption" || message.type === "timing") this._take(message);
      else if (message.type === "ended") this._lingering.close(1000);
    }

    _caption(caption) {
      if (caption.text) this.captions.set(caption.id, caption);
      else this.captions.delete(caption.id);
      this._emit("caption", caption);
    }

    _agent(state) {
      this.agentState = state;
      this._emit("agentState", { state });
    }

    // --- the peer connection -------------------------------------------------------------------------------------

    /** Make a peer connection and offer it; it replaces the one before, and may be replaced while it is being made. */
    async _offer() {
      this._closePeer();
      const id = ++this._offers;
      const peer = (this._peer = new RTCPeerConnection({ iceServers: this._iceServers }));
      this._candidates = [];
      this._counts = null;
      peer.onicecandidate = ({ candidate }) => {
        if (peer === this._peer) this._send({ type: "candidate", id, candidate: candidate?.candidate || null });
      };
      peer.onconnectionstatechange = () => {
        if (peer === this._peer) this._peerState(peer);
      };
      peer.ontrack = ({ track, streams }) => this._hear(streams[0] || new MediaStream([track]));
      const track = this.microphone?.getAudioTracks()[0];
      const streams = this.microphone ? [this.microphone] : [];
      this._sender = peer.addTransceiver(track || "audio", { direction: track ? "sendrecv" : "recvonly", streams }).sender;
      try {
        await peer.setLocalDescription(await peer.createOffer());
      } catch (error) {
        if (peer === this._peer) throw error;
      }
      if (peer !== this._peer) return;
      this._send({ type: "offer", id, sdp: peer.localDescription.sdp });
      if (this.muted) this._send({ type: "mute", muted: true });
      this._lost = this._after(CONNECT_WITHIN, () => this._offerFailed(peer));
      this._playout = this._every(PLAYOUT_EVERY, () => this._report(peer));
    }

    _offerAgain() {
      this._offer().catch(() => this._peerLost());
    }

    /** An offer has come to nothing. Where it was not even answered, the socket may be dead without knowing it. */
    _offerFailed(peer) {
      if (!this._up || peer.signalingState !== "have-local-offer") return this._peerLost();
      const socket = this._socket;
      this._socket = null;
      this._up = false;
      socket.close(1000);
      this._comeBack();
    }

    async _answered(sdp) {
      const peer = this._peer;
      try {
        await peer.setRemoteDescription({ type: "answer", sdp });
        const waiting = this._candidates;
        this._candidates = null;
        for (const candidate of waiting) await this._candidate(candidate);
      } catch (error) {
        if (peer === this._peer) this._problem("connection", `The server's answer is of no use: ${error.message}`);
      }
    }

    async _candidate(candidate) {
      if (this._candidates) return void this._candidates.push(candidate);
      const init = candidate ? { candidate, sdpMLineIndex: 0 } : undefined;
      await this._peer?.addIceCandidate(init).catch(() => {});
    }

    _peerState(peer) {
      const state = peer.connectionState;
      if (state === "connected") {
        this._stop(this._lost);
        this._everUp = true;
        this._tries = 0;
        this._setState("connected");
      } else if (state === "disconnected") {
        this._stop(this._lost);
        this._lost = this._after(LOST_AFTER, () => peer === this._peer && this._peerLost());
      } else if (state === "failed") {
        this._peerLost();
      }
    }

    /** No way through any more: try another. While the socket is away there is nobody to offer it to; then _comeBack does. */
    _peerLost() {
      if (!this._up) return;
      this._stop(this._lost);
      if (!this._everUp && this._offers > 2) {
        this._problem(
          "ice",
          "No way was found for the sound.",
          "A firewall may be between: the server needs a TURN server (ice_servers) that this network lets through.",
        );
      }
      this._setState("reconnecting");
      this._lost = this._after(RETRY[Math.min(this._tries++, RETRY.length - 1)], () => this._offerAgain());
    }

    _networkChanged() {
      if (this.state === "connected" && this._peer?.connectionState !== "connected") this._peerLost();
    }

    _closePeer() {
      this._stop(this._playout);
      this._stop(this._lost);
      if (this._peer) {
        this._peer.ontrack = this._peer.onicecandidate = this._peer.onconnectionstatechange = null;
        this._peer.close();
      }
      this._peer = null;
    }

    _hear(stream) {
      this.remoteStream = stream;
      this.element.srcObject = stream;
      this._meter("agent", stream);
      if (this._devices.output && this.element.setSinkId) this.element.setSinkId(this._devices.output).catch(() => {});
      this.element.play().catch((error) => {
        if (error.name === "NotAllowedError") this._emit("blocked", {});
      });
    }

    // --- what has been played ------------------------------------------------------------------------------------

    /**
     * Tell how much of the agent's track has sounded. The position is the RTP time of what the browser plays now, which
     * neither loss nor stretching of time can shift; its origin is found once, by the samples that came out of the jitter
     * buffer. Where a browser does not tell RTP times the samples themselves are counted.
     */
    async _report(peer) {
      if (peer !== this._peer || peer.connectionState !== "connected") return;
      const receiver = peer.getReceivers()[0];
      const stats = await receiver.getStats();
      let inbound, device;
      for (const entry of stats.values()) {
        if (entry.type === "inbound-rtp") inbound = entry;
        else if (entry.type === "media-playout") device = entry;
      }
      if (!inbound || peer !== this._peer) return;
      const emitted = inbound.jitterBufferEmittedCount ?? 0;
      const before = this._counts;
      const now = (this._counts = {
        emitted,
        waited: inbound.jitterBufferDelay ?? 0,
        device: device?.totalPlayoutDelay ?? 0,
        samples: device?.totalSamplesCount ?? 0,
        origin: before?.origin,
      });
      if (!before || !emitted) return;
      const buffer = mean(now.waited - before.waited, now.emitted - before.emitted);
      const output = mean(now.device - before.device, now.samples - before.samples) || this._outputLatency();
      const source = receiver.getSynchronizationSources?.()[0];
      let position = mediaTime(inbound, emitted);
      if (source?.rtpTimestamp !== undefined) {
        now.origin ??= (source.rtpTimestamp - emitted) >>> 0;
        position = ((source.rtpTimestamp - now.origin) >>> 0) / OPUS_RATE;
      }
      this.played = Math.max(0, position - output);
      this._send({ type: "playout", played: round(this.played), delay: round(buffer + output) });
    }

    _outputLatency() {
      return this._context?.outputLatency || this._context?.baseLatency || 0;
    }

    // --- the end, and small things -------------------------------------------------------------------------------

    /** linger: the server's last words (captions cut off, times) are still taken, for a moment. */
    _finish(detail, { quiet = false, keep = false, linger = false } = {}) {
      if (!this._call) return;
      this._call.over = detail;
      this._call = null;
      if (!keep) this._remember("");
      this._closePeer();
      globalThis.removeEventListener("online", this._onOnline);
      for (const timer of this._timers) clearTimeout(timer);
      this._timers.clear();
      for (const track of this.microphone?.getTracks() ?? []) track.stop();
      this.element.srcObject = null;
      const socket = this._socket;
      this._socket = null;
      if (linger && this._up) {
        this._lingering = socket;
        setTimeout(() => socket.close(1000), LAST_WORDS);
      } else {
        socket?.close(1000);
      }
      this._up = false;
      this._context?.close().catch(() => {});
      this._context = this.microphone = this.remoteStream = null;
      this.session = "";
      this._everUp = false;
      this._setState(quiet ? "idle" : "ended");
      if (!quiet) this._emit("ended", detail);
    }

    _remembered() {
      return this._resume || this.storage?.getItem(`${KEY}:${this.base.pathname}`) || "";
    }

    _remember(resume) {
      this._resume = resume;
      if (resume) this.storage?.setItem(`${KEY}:${this.base.pathname}`, resume);
      else this.storage?.removeItem(`${KEY}:${this.base.pathname}`);
    }

    _setState(state) {
      if (state === this.state) return;
      this.state = state;
      this._emit("state", { state });
    }

    _problem(code, message, hint = "") {
      this._emit("error", new AntiphonError(code, message, hint));
    }

    _emit(name, detail) {
      this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    _after(ms, call) {
      const timer = setTimeout(() => {
        this._timers.delete(timer);
        call();
      }, ms);
      this._timers.add(timer);
      return timer;
    }

    _every(ms, call) {
      const timer = setInterval(call, ms);
      this._timers.add(timer);
      return timer;
    }

    _stop(timer) {
      clearTimeout(timer);
      this._timers.delete(timer);
    }
  }

  /** Seconds of media that were played, by the receiver's own counts: gaps that were filled count, stretching does not. */
  function mediaTime(inbound, emitted) {
    const total = inbound.totalSamplesReceived;
    if (total === undefined) return emitted / OPUS_RATE;
    const added = inbound.insertedSamplesForDeceleration ?? 0;
    const removed = inbound.removedSamplesForAcceleration ?? 0;
    const silent = inbound.silentConcealedSamples ?? 0;
    return Math.max(0, total - added + removed - silent) / OPUS_RATE;
  }

  function mean(sum, count) {
    return count > 0 ? Math.max(0, sum / count) : 0;
  }

  function round(seconds) {
    return Math.round(seconds * 1000) / 1000;
  }

  /** A refusal by the socket's close code, as a word; "" for a close that is none. */
  function refusedFor(code) {
    const words = { 1009: "too-big", 1013: "busy", 4400: "malformed", 4401: "unauthorised" };
    return { ...words, 4408: "timeout", 4409: "replaced", 4429: "limited", 4503: "busy" }[code] || "";
  }

  /** Any error as one of ours. */
  function known(error) {
    return error instanceof AntiphonError ? error : new AntiphonError("failed", String(error.message || error));
  }

  /** For what was still waiting when its call ended. */
  function cutShort(call) {
    const { reason, message } = call.over ?? {};
    if (reason && reason !== "participant_disconnected") return new AntiphonError(reason, message);
    return new AntiphonError("cancelled", "You hung up.");
  }

  function microphoneError(error) {
    switch (error.name) {
      case "NotAllowedError":
      case "SecurityError":
        return new AntiphonError(
          "microphone-denied",
          "The microphone is not allowed here.",
          "Allow it in the address bar of the browser, then press Talk again. Or type.",
        );
      case "NotFoundError":
      case "OverconstrainedError":
        return new AntiphonError("no-microphone", "There is no such microphone.", "Connect one, or type.");
      case "NotReadableError":
      case "AbortError":
        return new AntiphonError("microphone-busy", "The microphone cannot be opened.", "Another program may hold it.");
      default:
        return new AntiphonError("microphone", `The microphone cannot be used: ${error.message}`);
    }
  }

  function safeStorage() {
    try {
      return globalThis.sessionStorage;
    } catch {
      return null;
    }
  }

  globalThis.Antiphon = { AntiphonClient, AntiphonError };
})();
