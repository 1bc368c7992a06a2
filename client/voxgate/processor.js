/** The module of the AudioWorklet. */

export const PROCESSOR = "voxgate-pcm";

/** Registers the processor that makes 16-bit integers of samples. It uses nothing from outside: its text is a module, too. */
export function define(name) {
  class PcmProcessor extends AudioWorkletProcessor {
    /** Of `step` samples it makes one, and it posts `frames` of them together. */
    constructor({ processorOptions: { step, frames } }) {
      super();
      Object.assign(this, { step, frames, sum: 0, count: 0, isOver: false });
      this.begin();
      this.port.onmessage = () => {
        this.post(this.samples.slice(0, this.filled));
        this.port.postMessage(null);
        this.isOver = true;
      };
    }

    begin() {
      this.samples = new Int16Array(this.frames);
      this.filled = 0;
    }

    post(samples) {
      this.port.postMessage(samples.buffer, [samples.buffer]);
      this.begin();
    }

    process([[samples = []]]) {
      if (this.isOver) return false;
      for (const sample of samples) {
        this.sum += sample;
        if (++this.count < this.step) continue;
        this.samples[this.filled++] = Math.round(Math.max(-1, Math.min(1, this.sum / this.step)) * 32767);
        this.sum = this.count = 0;
        if (this.filled === this.frames) this.post(this.samples);
      }
      return true;
    }
  }
  registerProcessor(name, PcmProcessor);
}

if (globalThis.registerProcessor) define(PROCESSOR);
