"use strict";
// The page: trains with the host's classes, draws what the model does by now, and saves it.

const payload = JSON.parse(document.getElementById("payload").textContent);
const { model, training: { schedule } } = payload;
const part = (id) => document.getElementById(id);
/** Least time between two pictures, in milliseconds. */
const PAUSE = 300;
const COLORS = 8;

/** Observations, row by row; what is missing is as large as no observation. */
const observations = (() => {
  const described = payload.training.program.buffers.find(({ name }) => name === "data");
  return new Float32Array(content(described).buffer);
})();
const isMissing = (value) => value >= 0.5e38;

const state = {
  device: null,
  training: null,
  freeRun: null,
  /** Mean loss of each epoch. */
  losses: [],
  running: false,
  seconds: 0,
  /** States [steps + 1][M] of the last free run. */
  states: null,
  /** Angle that state space is seen from. */
  turn: 0.6,
};

function complain(error) {
  const missing = "This page trains on the graphics processor through WebGPU, which this browser does not offer: open it in a current Chrome, Edge or Safari, or in Firefox where WebGPU is switched on.";
  part("problem").textContent = state.device ? `Training ended: ${error.message ?? error}` : missing;
  part("problem").hidden = false;
  part("state").textContent = "";
  console.info(error);
}

/** Puts the model back before its first step. */
async function prepare() {
  state.device ??= await openDevice();
  state.training?.program.destroy();
  state.training = await Training.make(state.device, payload.training);
  const { buffers } = state.training.program;
  const shared = { theta: buffers["0/theta"], copies: buffers["0/copies"] };
  state.freeRun = await Program.make(state.device, payload.free_run, shared);
  Object.assign(state, { losses: [], seconds: 0 });
  await look();
}

/** Runs the model freely with the parameters of this moment, and draws everything. */
async function look() {
  state.freeRun.run(state.freeRun.chunks[0].stages);
  const [out] = await state.freeRun.read("out");
  state.states = new Float32Array(out).subarray(0, (payload.steps + 1) * model.M);
  draw();
}

/** Trains until all epochs are done, or `pause` is called. */
async function train() {
  state.running = true;
  controls();
  let drawn = -Infinity;
  while (state.running && state.training.epochsDone < schedule.epochs) {
    const begun = performance.now();
    const [{ loss, stoppedAt }] = await state.training.epoch();
    state.seconds += (performance.now() - begun) / 1000;
    state.losses.push(loss);
    if (stoppedAt) {
      state.running = false;
      throw new Error(`the model left the finite numbers at step ${stoppedAt}; a smaller learning rate keeps it`);
    }
    if (performance.now() - drawn > PAUSE) {
      await look();
      drawn = performance.now();
    }
  }
  state.running = false;
  await look();
  controls();
}

function pause() {
  state.running = false;
}

function controls() {
  const done = state.training.epochsDone;
  const finished = done >= schedule.epochs;
  part("train").textContent = state.running ? "Pause" : done && !finished ? "Go on" : "Train";
  part("train").disabled = finished;
  part("again").disabled = state.running || !done;
  part("save").disabled = !done;
  part("progress").value = done / schedule.epochs;
  const rate = state.seconds ? (done * schedule.batches) / state.seconds : 0;
  const left = rate ? ((schedule.epochs - done) * schedule.batches) / rate : 0;
  const words = [`epoch ${done} of ${schedule.epochs}`];
  if (done) words.push(`loss ${state.losses.at(-1).toPrecision(3)}`, `${rate.toPrecision(3)} steps/s`);
  if (done && !finished) words.push(left < 90 ? `${Math.ceil(left)} s left` : `${Math.ceil(left / 60)} min left`);
  part("state").textContent = words.join(" · ");
}

// Drawing.

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A cleared canvas in CSS pixels. */
function canvas(id) {
  const element = part(id);
  const { clientWidth: width, clientHeight: height } = element;
  const ratio = devicePixelRatio || 1;
  element.width = width * ratio;
  element.height = height * ratio;
  const pen = element.getContext("2d");
  pen.scale(ratio, ratio);
  Object.assign(pen, { lineJoin: "round", lineCap: "round", font: "12px system-ui, sans-serif" });
  return { pen, width, height };
}

/** Where row `t` of a table lies in the plane: turned in three dimensions, over each other in two, over itself in one. */
function seen(table, columns, t) {
  const at = (row, n) => table[row * columns + n];
  if (model.N === 1) return t + payload.tau < table.length / columns ? [at(t, 0), at(t + payload.tau, 0)] : [NaN, NaN];
  if (model.N === 2) return [at(t, 0), at(t, 1)];
  return [Math.cos(state.turn) * at(t, 0) + Math.sin(state.turn) * at(t, 1), at(t, 2)];
}

/** Smallest and largest value of each axis over the data, seen from all around, with a margin. */
const frame = (() => {
  const range = (numbers) => {
    const [low, high] = numbers.reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [Infinity, -Infinity]);
    const margin = 0.05 * (high - low || 1);
    return [low - margin, high + margin];
  };
  const column = (n) => observations.filter((v, i) => i % model.N === n && !isMissing(v));
  if (model.N < 3) return [range(column(0)), range(column(model.N - 1))];
  const far = Math.max(...[0, 1].flatMap((n) => range(column(n)).map(Math.abs)));
  return [[-1.2 * far, 1.2 * far], range(column(2))];
})();

function plane({ width, height }) {
  const scale = ([low, high], length) => (value) => ((value - low) / (high - low)) * length;
  const [x, y] = [scale(frame[0], width), scale(frame[1], height)];
  return ([a, b]) => [x(a), height - y(b)];
}

function drawData() {
  const sheet = canvas("data");
  const place = plane(sheet);
  const rows = Math.min(observations.length / model.N, payload.start + payload.steps);
  sheet.pen.strokeStyle = tone("data");
  sheet.pen.globalAlpha = 0.7;
  sheet.pen.beginPath();
  let broken = true;
  for (let t = payload.start; t < rows; t += 1) {
    const point = seen(observations, model.N, t);
    if (!point.every((v) => !isMissing(v))) {
      broken = true;
      continue;
    }
    sheet.pen[broken ? "moveTo" : "lineTo"](...place(point));
    broken = false;
  }
  sheet.pen.stroke();
}

/** Which ReLU units are on, in words: the model's linear region. */
function region(t) {
  let word = "";
  for (let i = model.M - model.P; i < model.M; i += 1) word += state.states[t * model.M + i] > 0 ? "+" : "−";
  return word;
}

function drawModel() {
  const sheet = canvas("model");
  const place = plane(sheet);
  const paths = new Map();
  for (let t = 0; t < payload.steps; t += 1) {
    const [from, to] = [seen(state.states, model.M, t), seen(state.states, model.M, t + 1)];
    if (![...from, ...to].every((v) => Number.isFinite(v) && Math.abs(v) < 1e6)) break;
    const word = region(t);
    if (!paths.has(word)) paths.set(word, { count: 0, path: new Path2D() });
    const entry = paths.get(word);
    entry.count += 1;
    entry.path.moveTo(...place(from));
    entry.path.lineTo(...place(to));
  }
  const all = [...paths].sort(([, a], [, b]) => b.count - a.count);
  // Few regions keep their colours from picture to picture; of many the most visited ones have colours.
  const number = (word, rank) => (2 ** model.P <= COLORS ? parseInt(word.replaceAll("+", "1").replaceAll("−", "0"), 2) || 0 : rank);
  const legend = all.map(([word, { count, path }], rank) => {
    const color = number(word, rank) < COLORS ? `c${number(word, rank)}` : "other";
    sheet.pen.strokeStyle = tone(color);
    sheet.pen.stroke(path);
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.background = `var(--${color})`;
    const name = model.P ? word : "linear";
    return [swatch, `${name}\u00a0${((100 * count) / payload.steps).toFixed(0)}\u00a0%  `];
  });
  const more = legend.length > COLORS ? [`and ${legend.length - COLORS} more`] : [];
  part("regions").replaceChildren(...legend.slice(0, COLORS).flat(), ...more);
}

function drawLoss() {
  const { pen, width, height } = canvas("loss");
  const { losses } = state;
  if (!losses.length) return;
  const logs = losses.map(Math.log10);
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs) + 1e-9)];
  const [left, bottom] = [44, 22];
  const x = (epoch) => left + ((width - left - 8) * epoch) / Math.max(losses.length - 1, 1);
  const y = (log) => 8 + ((height - bottom - 8) * (high - log)) / (high - low || 1);
  pen.fillStyle = tone("muted");
  for (let power = low; power <= high; power += 1) {
    pen.strokeStyle = tone("grid");
    pen.beginPath();
    pen.moveTo(left, y(power));
    pen.lineTo(width - 8, y(power));
    pen.stroke();
    pen.fillText(power < -3 ? `1e${power}` : String(10 ** power), 4, y(power) + 4);
  }
  pen.fillText(`epoch ${losses.length}`, width - 76, height - 6);
  pen.strokeStyle = tone("c0");
  pen.beginPath();
  logs.forEach((log, epoch) => pen.lineTo(x(epoch), y(log)));
  pen.stroke();
}

function drawSeries() {
  const { pen, width, height } = canvas("series");
  const columns = Math.min(model.N, 3);
  const rows = observations.length / model.N - payload.start;
  const steps = Math.min(payload.steps, rows - 1, 600);
  const each = height / columns;
  for (let n = 0; n < columns; n += 1) {
    const data = Array.from({ length: steps + 1 }, (_, t) => observations[(payload.start + t) * model.N + n]);
    const known = data.filter((v) => !isMissing(v));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const y = (v) => each * (n + 0.92 - (0.84 * (v - low)) / (high - low || 1));
    const line = (values, color) => {
      pen.strokeStyle = tone(color);
      pen.beginPath();
      let broken = true;
      values.forEach((v, t) => {
        const ends = isMissing(v) || !Number.isFinite(v) || Math.abs(v) > 1e6;
        if (!ends) pen[broken ? "moveTo" : "lineTo"]((width * t) / steps, y(v));
        broken = ends;
      });
      pen.stroke();
    };
    pen.save();
    pen.beginPath();
    pen.rect(0, n * each, width, each);
    pen.clip();
    line(data, "data");
    line(Array.from({ length: steps + 1 }, (_, t) => state.states[t * model.M + n]), "c0");
    pen.restore();
    pen.fillStyle = tone("muted");
    pen.fillText(model.columns?.[n] ?? `x${n + 1}`, 6, n * each + 14);
  }
}

function draw() {
  if (!state.states) return;
  drawData();
  drawModel();
  drawLoss();
  drawSeries();
  controls();
}

// The model's file: a zip archive of arrays as NumPy writes them, not packed.

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** An `.npy` of f64 values, i64 ones (BigInt) or bytes. */
function npy(values, shape) {
  const type = values instanceof Float64Array ? "<f8" : values instanceof BigInt64Array ? "<i8" : "|u1";
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const padded = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n";
  const start = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8];
  const body = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const out = new Uint8Array(start.length + padded.length + body.length);
  out.set(start);
  out.set(new TextEncoder().encode(padded), start.length);
  out.set(body, start.length + padded.length);
  return out;
}

/** Numbers of so many bytes each, one after another, the lowest byte first. */
const packed = (...fields) => fields.flatMap(([size, value]) => Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) & 255));

function zip(entries) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [key, bytes] of entries) {
    const name = [...new TextEncoder().encode(`${key}.npy`)];
    // Version 2.0, no flags, stored, 1 January 1980.
    const common = [[2, 20], [2, 0], [2, 0], [2, 0], [2, 33], [4, crc(bytes)], [4, bytes.length], [4, bytes.length], [2, name.length], [2, 0]];
    const local = [...packed([4, 0x04034b50], ...common), ...name];
    directory.push(...packed([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), ...name);
    parts.push(Uint8Array.from(local), bytes);
    at += local.length + bytes.length;
  }
  const count = entries.length;
  const end = packed([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, directory.length], [4, at], [2, 0]);
  return new Blob([...parts, Uint8Array.from(directory), Uint8Array.from(end)]);
}

/** The model of this moment as a file. */
async function modelFile() {
  const [bytes] = await state.training.program.read("0/theta");
  const theta = Float64Array.from(new Float32Array(bytes));
  const whole = (value) => npy(BigInt64Array.of(BigInt(value)), []);
  const entries = model.arrays.map(([key, shape, at]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return [key, npy(theta.slice(at, at + length), shape)];
  });
  entries.push(["P", whole(model.P)], ["N", whole(model.N)]);
  if (model.scaling) {
    for (const key of ["mean", "scale"]) entries.push([key, npy(Float64Array.from(model.scaling[key]), [model.N])]);
  }
  if (model.dt !== null) entries.push(["dt", npy(Float64Array.of(model.dt), [])]);
  if (model.columns) {
    const names = new TextEncoder().encode(JSON.stringify(model.columns));
    entries.push(["columns", npy(names, [names.length])]);
  }
  return zip(entries);
}

async function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await modelFile());
  link.download = payload.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// What the visitor does.

part("train").addEventListener("click", () => (state.running ? pause() : train().catch(complain)));
part("again").addEventListener("click", () => prepare().catch(complain));
part("save").addEventListener("click", () => save().catch(complain));
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
for (const id of ["data", "model"]) {
  part(id).addEventListener("pointermove", ({ buttons, movementX }) => {
    if (!buttons || model.N < 3) return;
    state.turn += 0.01 * movementX;
    draw();
  });
}
const ready = prepare().then(() => (part("train").disabled = false));
ready.catch(complain);
