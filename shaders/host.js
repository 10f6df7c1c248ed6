"use strict";
// The browser's host: runs on WebGPU what src/backend/gpu/export writes down. Sources, sizes, contents and the order of
// kernels stand in those documents; this file moves bytes, and computes what depends on the number of a step alone.
// Tests and the page of `alrnn-gpu page` use the same file.

/** How long a submission should run, in seconds: browsers draw between two of them. */
const SUBMISSION = 0.1;

/** A device with the limits that every WebGPU implementation has. */
async function openDevice() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("this browser offers no WebGPU");
  const device = await adapter.requestDevice();
  device.addEventListener("uncapturederror", (event) => (device.failure ??= event.error.message));
  device.lost.then((info) => (device.failure ??= `the device was lost: ${info.message || info.reason}`));
  return device;
}

/** Throws the first error that struck since the device was opened. */
function check(device) {
  if (device.failure) throw new Error(device.failure);
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** What a buffer holds at first. */
function content({ bytes, fill, base64, runs }) {
  if (base64 !== undefined) return fromBase64(base64);
  if (runs !== undefined) {
    const numbers = runs.flatMap(([first, count]) => Array.from({ length: count }, (_, i) => first + i));
    return new Uint8Array(Uint32Array.from(numbers).buffer);
  }
  return fill ? new Uint8Array(bytes).fill(fill) : null;
}

/** A kernel of a document, compiled. */
async function compile(device, { name, source, bindings }) {
  const entries = bindings.map((type, binding) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type, hasDynamicOffset: type === "uniform" },
  }));
  const layout = device.createBindGroupLayout({ label: name, entries });
  const pipeline = await device.createComputePipelineAsync({
    label: name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label: name, code: source }), entryPoint: "main" },
  });
  return { pipeline, layout, bindings };
}

/** A program on a device: its buffers filled, its kernels compiled and bound. */
class Program {
  /** `shared` gives buffers of other programs by the names that this one has for them. */
  static async make(device, document, shared = {}) {
    const program = new Program();
    program.device = device;
    program.document = document;
    program.buffers = {};
    const { COPY_DST, COPY_SRC, STORAGE, UNIFORM } = GPUBufferUsage;
    for (const described of document.buffers) {
      const { name, bytes: size } = described;
      program.buffers[name] = shared[name] ?? device.createBuffer({
        label: name, size, usage: COPY_DST | COPY_SRC | STORAGE | UNIFORM,
      });
      const bytes = shared[name] ? null : content(described);
      if (bytes?.length) program.write(name, bytes);
    }
    const kernels = await Promise.all(document.kernels.map((kernel) => compile(device, kernel)));
    program.chunks = document.chunks.map((chunk) => ({
      ...chunk,
      stages: chunk.stages.map((stage) => program.#bound(stage, kernels[stage.kernel])),
    }));
    check(device);
    return program;
  }

  #bound({ buffers, grid, phase }, { pipeline, layout, bindings }) {
    const entries = buffers.map((name, binding) => {
      const resource = { buffer: this.buffers[name] };
      if (bindings[binding] === "uniform") resource.size = this.document.uniform;
      return { binding, resource };
    });
    return { pipeline, phase, grid, group: this.device.createBindGroup({ layout, entries }) };
  }

  write(name, bytes) {
    this.device.queue.writeBuffer(this.buffers[name], 0, bytes);
  }

  /** Enqueues kernels in their order, once for each entry of the uniform buffer. */
  run(stages, entries = [0]) {
    const encoder = this.device.createCommandEncoder();
    for (const entry of entries) {
      const pass = encoder.beginComputePass();
      for (const { pipeline, group, grid } of stages) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group, [entry * this.document.stride]);
        pass.dispatchWorkgroups(grid[0], grid[1]);
      }
      pass.end();
    }
    this.device.queue.submit([encoder.finish()]);
  }

  /** The bytes of buffers once all that is enqueued is done. */
  async read(...names) {
    const encoder = this.device.createCommandEncoder();
    const copies = names.map((name) => {
      const { size } = this.buffers[name];
      const copy = this.device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      encoder.copyBufferToBuffer(this.buffers[name], 0, copy, 0, size);
      return copy;
    });
    this.device.queue.submit([encoder.finish()]);
    await Promise.all(copies.map((copy) => copy.mapAsync(GPUMapMode.READ)));
    check(this.device);
    return copies.map((copy) => {
      const bytes = copy.getMappedRange().slice(0);
      copy.destroy();
      return bytes;
    });
  }

  /** Gives the memory of buffers back. */
  destroy() {
    Object.values(this.buffers).forEach((buffer) => buffer.destroy());
  }
}

/** Bias corrections and rectification of optimiser step `t`, counted from 1: src/backend/optimizer.rs. */
function coefficients({ beta1, beta2, rectified }, t) {
  const power = beta2 ** t;
  const most = 2 / (1 - beta2) - 1;
  const rho = most - (2 * t * power) / (1 - power);
  const variance = ((rho - 4) * (rho - 2) * most) / ((most - 4) * (most - 2) * rho);
  const rect = !rectified ? 1 : rho > 4 ? Math.sqrt(variance) : 0;
  return { m_scale: 1 / (1 - beta1 ** t), v_scale: 1 / (1 - power), rect };
}

/** `Params` of a step counted from 0, into `view`. */
function writeParams(view, fields, schedule, step) {
  new Uint8Array(view.buffer, view.byteOffset).set(fromBase64(schedule.params.base64));
  view.setUint32(fields.step, step, true);
  view.setUint32(fields.first, step % schedule.batches ? 0 : 1, true);
  for (const [name, value] of Object.entries(coefficients(schedule, step + 1))) {
    view.setFloat32(fields[name], value, true);
  }
}

/** What decays from start to end, in an epoch counted from 0. */
function decayed([start, end], epoch, epochs) {
  return start === 0 ? 0 : start * (end / start) ** (epoch / Math.max(epochs, 1));
}

/** Learning rates and noise of the members of a chunk in an epoch, in pairs. */
function decaying(rates, epoch, epochs) {
  return rates.flat().map((decay) => decayed(decay, epoch, epochs));
}

/** An ensemble in training. */
class Training {
  static async make(device, { program, schedule }) {
    const training = new Training();
    training.program = await Program.make(device, program);
    training.schedule = schedule;
    training.step = schedule.step;
    training.paces = program.chunks.map(() => null);
    return training;
  }

  get epochsDone() {
    return this.step / this.schedule.batches;
  }

  /** Puts the parameters of an epoch's steps, its learning rates and its noise on the device. */
  #upload() {
    const { document, chunks } = this.program;
    const { batches, epochs } = this.schedule;
    const table = new ArrayBuffer(batches * document.stride);
    for (let batch = 0; batch < batches; batch += 1) {
      const view = new DataView(table, batch * document.stride, document.uniform);
      writeParams(view, document.structs.Params, this.schedule, this.step + batch);
    }
    this.program.write("params", table);
    for (const { prefix, rates } of chunks) {
      this.program.write(`${prefix}rates`, Float32Array.from(decaying(rates, this.epochsDone, epochs)));
    }
  }

  /** Trains an epoch: `[member] -> {loss, stoppedAt}`, the mean loss of its steps, or NaN and the step of a member that stopped. */
  async epoch() {
    this.#upload();
    const { batches } = this.schedule;
    const { document, chunks, device } = this.program;
    for (const [at, { stages }] of chunks.entries()) {
      for (let next = 0; next < batches; ) {
        const steps = Math.max(1, Math.min(batches - next, Math.floor(SUBMISSION / (this.paces[at] ?? SUBMISSION))));
        const begun = performance.now();
        this.program.run(stages, Array.from({ length: steps }, (_, i) => next + i));
        await device.queue.onSubmittedWorkDone();
        this.paces[at] = Math.max(1e-6, (performance.now() - begun) / 1000 / steps);
        next += steps;
      }
    }
    this.step += batches;
    const fields = document.structs.Status;
    const results = [];
    const read = await this.program.read(...chunks.map(({ prefix }) => `${prefix}status`));
    for (const [at, { members }] of chunks.entries()) {
      const view = new DataView(read[at]);
      members.forEach((member, i) => {
        const status = i * fields.size;
        const stoppedAt = view.getUint32(status + fields.stopped_at, true);
        const loss = stoppedAt ? NaN : view.getFloat32(status + fields.loss_sum, true) / batches;
        results[member] = { loss, stoppedAt };
      });
    }
    return results;
  }
}
