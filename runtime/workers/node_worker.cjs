// The program of a Node.js worker: one script in one process. It implements `protocol.py` on descriptor 3.

'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { writeSync } = require('node:fs');
const { Socket } = require('node:net');
const { join } = require('node:path');
const { clearTimeout, setImmediate, setTimeout } = require('node:timers');

const { SCRIPT_FILE, scriptError } = require('./node_error.cjs');
const { parseExactly } = require('./node_integers.cjs');
const { encodeResult, isIterator, listed } = require('./node_result.cjs');
const { addPackages, readScript } = require('./node_script.cjs');
const { Traces } = require('./node_traces.cjs');

const CHANNEL = 3;
const HEADER_BYTES = 4;
/** Milliseconds after which the front is told that a handler waits for its callback. Most answer earlier. */
const WAITING_NOTE = 50;
const { parse, stringify } = JSON;

let script = null;
let resultMaxBytes = Infinity;
/** The current run; null between runs. */
let current = null;
/** Knows the run that a callback, a timer or a promise belongs to. */
const runs = new AsyncLocalStorage();
const traces = new Traces();

process.argv[1] = join(process.cwd(), SCRIPT_FILE);
process.execArgv.length = 0;

// Frames of libraries must not crowd the script's frames out of the trace.
Error.stackTraceLimit = 50;

// Otherwise output that does not fit into the pipe waits for the event loop, and is lost if the script never returns.
for (const { _handle: pipe } of [process.stdout, process.stderr]) pipe.setBlocking(true);

// A fixed buffer: otherwise the stream allocates 64 KiB for each read, and shrinks it afterwards.
const channel = new Socket({
  fd: CHANNEL,
  readable: true,
  writable: true,
  onread: { buffer: Buffer.alloc(64 * 1024), callback: take },
});
/** The part of a frame that is being received: a header, then a body. */
let part = Buffer.alloc(HEADER_BYTES);
let filled = 0;
let header = true;

function take(count, buffer) {
  let taken = 0;
  while (taken < count) {
    const copied = buffer.copy(part, filled, taken, count);
    taken += copied;
    filled += copied;
    if (filled === part.length) takePart();
  }
  return true;
}

/** Handles a complete part: a header has the length of the body, a body is a message. */
function takePart() {
  const done = part;
  header = !header;
  part = Buffer.allocUnsafe(header ? HEADER_BYTES : done.readUInt32BE(0));
  filled = 0;
  if (header) answer((script?.wantsBigInt ? parseExactly : parse)(done.toString('utf8')));
}

channel.on('end', () => process.exit(0));
channel.on('error', () => process.exit(1));

process.on('uncaughtException', (error) => {
  if (process.listenerCount('uncaughtException') === 1) fail(error);
});
// As Node.js does: it is for the script's listeners of this event, else for those of exceptions, else a failure.
process.on('unhandledRejection', (reason) => {
  if (process.listenerCount('unhandledRejection') > 1) return;
  if (process.listenerCount('uncaughtException') === 1) fail(reason);
  else process.emit('uncaughtException', reason, 'unhandledRejection');
});

/** A failure outside of the handler's promise fails its run. After that run's answer it only ends this process soon. */
function fail(error) {
  const run = runs.getStore() ?? current;
  if (run !== null && run === current) run.settle({ error: scriptError(error).answer });
  else traces.failures = true;
}

// Nothing is left to wait for: a handler that still waits for its callback waits in vain.
process.on('beforeExit', () => {
  channel.ref();
  setImmediate(() => current?.giveUp?.());
});

async function answer(message) {
  try {
    await serve(message);
  } catch {
    process.exit(1); // the script has broken our program
  }
}

async function serve(message) {
  if (message.rehearse) {
    await rehearse();
    send(message.id, { rehearsed: true });
  } else if (message.load !== undefined) {
    resultMaxBytes = message.result_max_bytes;
    send(message.id, load(message.load));
  } else {
    send(message.id, await run(message.id, message.run));
  }
}

/** Loads and runs a script of our own, which makes the first real run faster. */
async function rehearse() {
  const rehearsed = readScript('module.exports = async (event) => ({ ...event.params });');
  const nothing = { evaluated() {}, waiting() {} };
  await resultAnswer(await rehearsed.run({ params: { a: 1 }, context: {} }, nothing));
}

function load(payload) {
  try {
    if (payload.environment !== undefined) addPackages(payload.environment);
    script = readScript(payload.source);
    return { loaded: true };
  } catch (error) {
    return { error: scriptError(error).answer };
  }
}

/** Resolves with the first of: the handler's result, its failure, a failure elsewhere in the process. */
async function run(id, { params, context }) {
  const settled = new Promise((resolve) => {
    current = new Run(id, resolve);
  });
  runs.run(current, runScript, current, { params, context });
  const outcome = await settled;
  return traces.end() ? { ...outcome, spent: true } : outcome;
}

async function runScript(mine, event) {
  try {
    mine.settle(await resultAnswer(await script.run(event, mine)));
  } catch (error) {
    mine.settle({ error: scriptError(error).answer });
  }
}

/** A run until its answer. The first outcome counts. */
class Run {
  #id;
  #resolve;
  #note = null;
  /** Ends the wait for a callback that nothing can call any more. */
  giveUp = null;

  constructor(id, resolve) {
    this.#id = id;
    this.#resolve = resolve;
    traces.begin();
  }

  /** The top level of the script has run. What it has left belongs to the script. */
  evaluated() {
    traces.begin();
  }

  /** The handler has returned nothing: only what the script has begun can call its callback. */
  waiting(giveUp) {
    if (current !== this) return;
    this.giveUp = giveUp;
    channel.unref();
    this.#note = setTimeout(send, WAITING_NOTE, this.#id, { waiting: 'callback' }).unref();
  }

  settle(outcome) {
    if (current !== this) return;
    current = null;
    if (this.#note !== null) {
      clearTimeout(this.#note);
      channel.ref();
    }
    this.#resolve(outcome);
  }
}

async function resultAnswer(result) {
  const value = isIterator(result) ? await listed(result, resultMaxBytes) : result;
  return { encoded: encodeResult(value, resultMaxBytes) };
}

function send(id, { encoded, spent, ...members }) {
  const main = encoded === undefined ? stringify(members).slice(1, -1) : `"result":${encoded}`;
  const body = `{"id":${id},${main}${spent ? ',"spent":true' : ''}}`;
  const length = Buffer.byteLength(body);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(body, HEADER_BYTES);
  transmit(frame);
}

/** Writes to the descriptor directly, which is faster. The stream sends the rest if the socket is full. */
function transmit(frame) {
  let written = 0;
  try {
    if (!channel.writableLength) written = writeSync(CHANNEL, frame);
  } catch (error) {
    if (error.code !== 'EAGAIN') process.exit(1);
  }
  if (written < frame.length) channel.write(frame.subarray(written));
}
