// Records, in the page, what the microphone gives (left) and what the agent's track sounds like (right), at 48 kHz.
const WORKLET = `
registerProcessor(
  "recorder",
  class extends AudioWorkletProcessor {
    process([input]) {
      const block = new Int16Array(256);
      for (let side = 0; side < 2; side++) {
        const samples = input[side] ?? [];
        for (let n = 0; n < samples.length; n++) block[2 * n + side] = Math.max(-1, Math.min(1, samples[n])) * 32767;
      }
      this.port.postMessage(block, [block.buffer]);
      return true;
    }
  },
);
`;
globalThis.capture = {
  async begin() {
    const context = new AudioContext({ sampleRate: 48000 });
    await context.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" })));
    const both = context.createChannelMerger(2);
    const recorder = new AudioWorkletNode(context, "recorder", { channelCount: 2, channelCountMode: "explicit" });
    const blocks = (this.blocks = []);
    recorder.port.onmessage = (event) => blocks.push(event.data);
    if (call.microphone) context.createMediaStreamSource(call.microphone).connect(both, 0, 0);
    this.source = context.createMediaStreamSource(call.remoteStream);
    this.source.connect(both, 0, 1);
    both.connect(recorder).connect(context.destination);
    this.context = context;
  },
  seconds() {
    return (this.blocks.length * 128) / 48000;
  },
  /** Both sides as base64 of interleaved int16. */
  async end() {
    await this.context.close();
    const sound = new Int16Array(this.blocks.length * 256);
    this.blocks.forEach((block, n) => sound.set(block, n * 256));
    const bytes = new Uint8Array(sound.buffer);
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  },
};
