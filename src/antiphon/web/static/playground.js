// The playground: one page, one call. Draws what the client (antiphon.js) tells and decides nothing about it.
(() => {
  "use strict";

  const $ = (id) => document.getElementById(id);
  const { AntiphonClient } = globalThis.Antiphon;
  const SAYS = {
    idle: "Press Talk and speak.",
    connecting: "Connecting …",
    reconnecting: "The connection is lost. Trying to come back …",
    ended: "The call is over.",
  };
  const AGENT = {
    initializing: "The agent is getting ready …",
    idle: "Say something.",
    listening: "Listening",
    thinking: "Thinking …",
    speaking: "Speaking",
  };
  const STAGES = { end_of_turn: "end of turn", hook: "hook", llm: "language model", tts: "voice" };
  const KEPT_TURNS = 5;
  const HOLD = 300; // ms of a held space bar that make it push-to-talk

  const call = new AntiphonClient({ url: ".", token: token() });
  globalThis.call = call; // for the browser's console
  let began = 0;
  let typingOnly = false;
  let hungUp = false; // by the button

  /** The token comes after the # of the printed address: it is sent to nobody but by the hello, and kept for reloads. */
  function token() {
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given !== null) {
      sessionStorage.setItem("antiphon.token", given);
      history.replaceState(null, "", location.pathname + location.search);
    }
    return sessionStorage.getItem("antiphon.token") || "";
  }

  // --- the call ----------------------------------------------------------------------------------------------------

  async function start({ microphone = true } = {}) {
    hideBanner();
    hungUp = false;
    typingOnly = !microphone;
    if (!call.resumable) clearCaptions();
    try {
      await call.connect({ microphone });
      if (microphone) listDevices();
      else notice("You are calling without a microphone.", "Type to the agent; you hear its answers.");
    } catch (error) {
      if (error.code === "unknown_call") return start({ microphone });
      problem(error);
    }
  }

  function problem(error) {
    if (error.code === "cancelled") return;
    const offer = { "microphone-denied": 1, "no-microphone": 1, "microphone-busy": 1, insecure: 1 };
    const action = offer[error.code] ? ["Type instead", () => start({ microphone: false })] : null;
    banner(error.message, error.hint, action);
  }

  $("talk").onclick = () => {
    if (call.state === "idle" || call.state === "ended") return start();
    hungUp = true;
    call.disconnect();
  };

  call.on("state", ({ state }) => {
    $("orb").dataset.state = state;
    const on = state !== "idle" && state !== "ended";
    if (on && !began) began = Date.now();
    if (!on) began = 0;
    $("clock").hidden = !on;
    $("talk-label").textContent = on ? "Hang up" : "Talk";
    $("mute").disabled = !on || typingOnly;
    if (state === "connected") hideBanner("connection");
    showState();
  });
  call.on("agentState", showState);
  call.on("ended", ({ message }) => {
    $("orb").dataset.agent = "";
    meter("caller", -100);
    meter("agent", -100);
    settle();
    if (!hungUp) banner(message || SAYS.ended, "Press Talk for a new call.");
  });
  call.on("error", (error) => {
    if (error.code === "microphone-lost" || call.state !== "idle") banner(error.message, error.hint, null, error.code);
  });
  call.on("blocked", () => {
    banner("The browser does not let the page sound yet.", "", ["Hear the agent", () => call.startAudio()]);
  });

  function showState() {
    const talking = call.state === "connected";
    $("orb").dataset.agent = talking ? call.agentState : "";
    const text = talking ? AGENT[call.agentState] || call.agentState : SAYS[call.state];
    $("state").textContent = talking && call.muted ? `${text} · you are muted` : text;
  }

  // --- captions ----------------------------------------------------------------------------------------------------

  call.on("caption", (caption) => {
    let line = document.querySelector(`[data-caption="${CSS.escape(caption.id)}"]`);
    if (!caption.text) return line?.remove();
    const box = $("captions");
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    if (!line) {
      line = document.createElement("div");
      line.dataset.caption = caption.id;
      const who = document.createElement("span");
      who.className = "who";
      who.textContent = caption.role === "agent" ? "Agent" : "You";
      const text = document.createElement("p");
      line.append(who, text);
      box.append(line);
      $("empty").hidden = true;
    }
    const text = line.lastElementChild;
    line.className = `line ${caption.role}`;
    line.classList.toggle("open", !caption.final);
    line.classList.toggle("cut", caption.interrupted);
    line.classList.toggle("aside", caption.aside);
    text.textContent = caption.text;
    if (caption.interrupted) {
      const mark = document.createElement("span");
      mark.className = "mark";
      mark.textContent = "cut off";
      text.append(" ", mark);
    }
    if (caption.final) announce(`${caption.role === "agent" ? "Agent" : "You"}: ${caption.text}`);
    if (atEnd) box.scrollTop = box.scrollHeight;
  });
  call.on("tool", ({ name, status }) => {
    if (status !== "started" && status !== "error") return;
    const line = document.createElement("div");
    line.className = `line tool ${status}`;
    line.textContent = status === "error" ? `${name} failed` : name;
    $("captions").append(line);
    $("captions").scrollTop = $("captions").scrollHeight;
  });

  function clearCaptions() {
    for (const line of document.querySelectorAll("#captions .line")) line.remove();
    $("turns").replaceChildren();
    $("timings").hidden = true;
    $("empty").hidden = false;
  }

  function settle() {
    for (const line of document.querySelectorAll(".line.open")) line.classList.remove("open");
  }

  function announce(text) {
    $("announce").textContent = text;
  }

  // --- times -------------------------------------------------------------------------------------------------------

  call.on("timing", ({ total, stages }) => {
    const row = document.createElement("li");
    const wait = Math.min(total, stages.end_of_turn || 0);
    const known = Object.entries(STAGES).filter(([key]) => stages[key] >= 0.005);
    const parts = known.map(([key, name]) => `${name} ${seconds(stages[key])}`);
    const number = document.createElement("b");
    number.textContent = seconds(total);
    const bar = document.createElement("span");
    bar.className = "split";
    for (const [name, part] of [["wait", wait], ["make", total - wait]]) {
      if (part < 0.005) continue;
      const piece = document.createElement("i");
      piece.className = name;
      piece.style.flexGrow = String(part);
      bar.append(piece);
    }
    bar.style.width = `${Math.min(100, 12 + total * 40)}%`;
    const text = document.createElement("small");
    text.textContent = parts.join(" · ");
    row.append(number, bar, text);
    $("turns").prepend(row);
    while ($("turns").children.length > KEPT_TURNS) $("turns").lastElementChild.remove();
    $("timings").hidden = false;
  });

  function seconds(value) {
    return `${value.toFixed(2)} s`;
  }

  setInterval(() => {
    if (!began) return;
    const passed = Math.floor((Date.now() - began) / 1000);
    $("clock").textContent = `${Math.floor(passed / 60)}:${String(passed % 60).padStart(2, "0")}`;
  }, 500);

  // --- levels ------------------------------------------------------------------------------------------------------

  call.on("level", ({ caller, agent }) => {
    meter("caller", caller);
    meter("agent", agent);
  });

  function meter(side, level) {
    const share = Math.max(0, Math.min(1, (level + 60) / 50));
    $(`level-${side}`).style.transform = `scaleX(${share.toFixed(3)})`;
    $("orb").style.setProperty(`--${side}-level`, share.toFixed(3));
  }

  // --- mute, text, devices -----------------------------------------------------------------------------------------

  $("mute").onclick = () => call.mute(!call.muted);
  call.on("muted", ({ muted }) => {
    $("mute").setAttribute("aria-pressed", String(muted));
    $("mute-label").textContent = muted ? "Unmute" : "Mute";
    showState();
  });

  let pressed = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      $("words").focus();
    } else if (event.code === "Space" && !typing && !event.target.closest("button, a") && !$("mute").disabled) {
      event.preventDefault();
      if (event.repeat || pressed) return;
      pressed = call.muted ? event.timeStamp : -1;
      call.mute(!call.muted);
    } else if (event.key === "Escape" && typing) {
      event.target.blur();
    }
  });
  document.addEventListener("keyup", (event) => {
    if (event.code !== "Space" || !pressed) return;
    if (pressed > 0 && event.timeStamp - pressed > HOLD) call.mute(true);
    pressed = 0;
  });
  globalThis.addEventListener("blur", () => {
    if (pressed > 0) call.mute(true); // the key comes up elsewhere
    pressed = 0;
  });
  document.addEventListener("click", (event) => {
    // a button that keeps the focus would be pressed by the space bar that is meant to mute
    if (event.detail > 0) event.target.closest("button")?.blur();
  });

  $("typing").onsubmit = async (event) => {
    event.preventDefault();
    const text = $("words").value.trim();
    if (!text) return;
    if (call.state === "idle" || call.state === "ended") await start({ microphone: false });
    if (call.state === "idle" || call.state === "ended") return;
    if (call.sendText(text)) $("words").value = "";
    else banner("You are not connected just now.", "Your text stays in the box: send it when the call is back.", null, "connection");
  };

  $("settings").onclick = () => {
    const open = $("devices").hidden;
    $("devices").hidden = !open;
    $("settings").setAttribute("aria-expanded", String(open));
    if (open) listDevices();
  };
  $("input").onchange = () => call.setDevices({ input: $("input").value }).catch(problem);
  $("output").onchange = () => call.setDevices({ output: $("output").value }).catch(problem);
  $("echo").onchange = () => {
    const on = $("echo").checked;
    call.setAudio({ echoCancellation: on, noiseSuppression: on, autoGainControl: on }).catch(problem);
  };
  navigator.mediaDevices?.addEventListener?.("devicechange", listDevices);

  async function listDevices() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    for (const [id, kind, name] of [["input", "audioinput", "Microphone"], ["output", "audiooutput", "Loudspeaker"]]) {
      const chosen = $(id).value;
      const options = [new Option("System default", "")];
      devices
        .filter((device) => device.kind === kind && device.deviceId && device.deviceId !== "default")
        .forEach((device, n) => options.push(new Option(device.label || `${name} ${n + 1}`, device.deviceId)));
      $(id).replaceChildren(...options);
      if (options.some((option) => option.value === chosen)) $(id).value = chosen;
    }
    $("output-row").hidden = !call.element.setSinkId;
  }

  // --- banner and theme --------------------------------------------------------------------------------------------

  function banner(title, hint = "", action = null, about = "") {
    $("banner").hidden = false;
    $("banner").dataset.about = about;
    $("banner").classList.remove("note");
    $("banner-title").textContent = title;
    $("banner-hint").textContent = hint || "";
    $("banner-action").hidden = !action;
    if (action) {
      $("banner-action").textContent = action[0];
      $("banner-action").onclick = () => {
        hideBanner();
        action[1]();
      };
    }
  }

  function notice(title, hint) {
    banner(title, hint);
    $("banner").classList.add("note");
  }

  function hideBanner(about = "") {
    if (!about || $("banner").dataset.about === about) $("banner").hidden = true;
  }

  $("banner-close").onclick = () => hideBanner();

  function theme(name) {
    if (name) document.documentElement.dataset.theme = name;
  }
  theme(localStorage.getItem("antiphon.theme"));
  $("theme").onclick = () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    const next = now === "dark" ? "light" : "dark";
    localStorage.setItem("antiphon.theme", next);
    theme(next);
  };

  // --- the page is there -------------------------------------------------------------------------------------------

  if (!globalThis.isSecureContext) {
    banner(
      "The browser gives no microphone to this address.",
      "It does on https:// and on localhost: start the server with --tls, or type.",
      ["Type instead", () => start({ microphone: false })],
    );
  } else if (call.resumable) {
    call.connect().catch((error) => {
      if (error.code !== "unknown_call") problem(error);
      else notice("Your last call is over.", error.message);
    });
  }
})();
