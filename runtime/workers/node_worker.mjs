// The program of a Node.js worker: one script in one process. It implements `protocol.py` on descriptor 3.

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';

import { readScript } from './node_script.mjs';
import { encodeResult } from './node_result.mjs';
import { ScriptError, scriptError } from './node_error.mjs';

const CHANNEL = 3;
const HEADER_BYTES = 4;
const { parse, stringify } = JSON;

let script = null;
let resultMaxBytes = 0;
/** Answers the current run; null between runs. */
let settle = null;

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
  if (header) answer(parse(done.toString('utf8')));
}

channel.on('end', () => process.exit(0));
channel.on('error', () => process.exit(1));

// A failure outside the handler's promise belongs to the current run. Between runs it ends the process, and the front
// replaces it.
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

function fail(error) {
  if (settle === null) process.exit(1);
  settle({ error: scriptError(error).answer });
}

async function answer(message) {
  if (message.rehearse) {
    await rehearse();
    send(message.id, { rehearsed: true });
  } else if (message.load !== undefined) {
    resultMaxBytes = message.result_max_bytes;
    send(message.id, load(message.load));
  } else {
    send(message.id, await run(message.run));
  }
}

/** Loads and runs a script of our own, which makes the first real run faster. */
async function rehearse() {
  const rehearsed = readScript('module.exports = async (event) => ({ ...event.params });');
  resultAnswer(await rehearsed.run({ params: { a: 1 }, context: {} }));
}

function load(payload) {
  try {
    script = readScript(payload.source);
    return { loaded: true };
  } catch (error) {
    return { error: scriptError(error).answer };
  }
}

/** Resolves with the first of: the handler's result, its failure, a failure elsewhere in the process. */
function run({ params, context }) {
  return new Promise((resolve) => {
    settle = (outcome) => {
      settle = null;
      resolve(outcome);
    };
    const mine = settle;
    const settleMine = (outcome) => settle === mine && settle(outcome);
    script.run({ params, context }).then(
      (result) => settleMine(resultAnswer(result)),
      (error) => settleMine({ error: scriptError(error).answer }),
    );
  });
}

function resultAnswer(result) {
  try {
    const encoded = encodeResult(result);
    const size = Buffer.byteLength(encoded);
    if (size <= resultMaxBytes) return { encoded };
    throw new ScriptError(`the result has ${size} bytes, the limit is ${resultMaxBytes}`, { kind: 'output_limit' });
  } catch (error) {
    return { error: scriptError(error).answer };
  }
}

function send(id, { encoded, ...members }) {
  const rest = encoded === undefined ? stringify(members).slice(1) : `"result":${encoded}}`;
  const body = `{"id":${id},${rest}`;
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
