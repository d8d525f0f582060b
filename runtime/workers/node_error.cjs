// The error of a script or its run, with the user's lines, columns and frames only.

'use strict';

const { inspect } = require('node:util');
const { isNativeError } = require('node:util/types');

const SCRIPT_FILE = 'script.js';

const MAX_TEXT = 16 * 1024;
const LINE_END = /\r\n|[\n\r\u2028\u2029]/;
const UNEXPECTED_END = 'Unexpected end of input';
const FRAME = /^ {4}at /;
const SCRIPT_FRAME = /(?:^ {4}at |\()script\.js:(\d+):(\d+)\)?$/m;
const OWN_FOLDER = `${__dirname}/`;

/** An answer to the front. Its members are those of `ScriptError` in `protocol.py`. */
class ScriptError extends Error {
  constructor(message, members = {}) {
    super(message);
    const { kind = 'exception', type = null, line = null, column = null } = members;
    const { stackTrace = null, diagnostics = null, system = null } = members;
    this.answer = {
      message: shortened(message),
      kind,
      type,
      line,
      column,
      stack_trace: stackTrace === null ? null : shortened(stackTrace),
      diagnostics,
      system,
    };
  }

  /** Returns whether the place of this error is after that of the other. */
  isBeyond(other) {
    const [mine, theirs] = [this.answer, other.answer];
    if (mine.line !== theirs.line) return mine.line > theirs.line;
    return mine.column > theirs.column;
  }
}

/** Returns the error of a text that does not compile. Node's stack begins with place, line, and a mark below it. */
function syntaxError(error, text) {
  const [head, , marks] = (stackOf(error) ?? '').split('\n', 3);
  const found = Number(/^script\.js:(\d+)$/.exec(head)?.[1]);
  if (!found) return syntaxErrorAt(error, error.message, null, null);
  const lines = text.split(LINE_END);
  // After the script's end is the end of the function that we put around it.
  if (found > lines.length) {
    return syntaxErrorAt(error, UNEXPECTED_END, lines.length, lines.at(-1).length + 1);
  }
  return syntaxErrorAt(error, error.message, found, /^\s*/.exec(marks)[0].length + 1);
}

function syntaxErrorAt({ name }, message, line, column) {
  return new ScriptError(message, { type: name, line, column, diagnostics: [{ message, line, column }] });
}

/** Returns the error of any value that was thrown or rejected with. */
function scriptError(thrown) {
  if (thrown instanceof ScriptError) return thrown;
  try {
    return isNativeError(thrown) || thrown instanceof Error ? ofError(thrown) : ofValue(thrown);
  } catch {
    return new ScriptError('the script threw something that cannot be described');
  }
}

function ofError(error) {
  const stack = stackOf(error);
  const place = SCRIPT_FRAME.exec(stack ?? '');
  return new ScriptError(String(error.message) || error.name, {
    // The seccomp filter answers a new process with EAGAIN.
    kind: error.code === 'EAGAIN' && String(error.syscall).startsWith('spawn') ? 'process_limit' : 'exception',
    type: String(error.constructor?.name || error.name),
    line: place ? Number(place[1]) : null,
    column: place ? Number(place[2]) : null,
    stackTrace: stack && withoutOwnFrames(stack),
    system: systemOf(error),
  });
}

/** Returns what Node.js says of a failed call of the system, or null. Some of its errors have the code in `info`. */
function systemOf({ code, syscall, path, info }) {
  const text = (value) => (typeof value === 'string' ? shortened(value) : null);
  const name = text(info?.code) ?? text(code);
  return name && { code: name, syscall: text(syscall)?.replace(/^uv_(?:os_)?/, '') ?? null, path: text(path) };
}

function ofValue(value) {
  const message = typeof value === 'string' ? value : inspect(value, { breakLength: Infinity });
  return new ScriptError(message, { type: value === null ? 'null' : typeof value });
}

function stackOf(error) {
  return typeof error.stack === 'string' ? error.stack : null;
}

function withoutOwnFrames(stack) {
  const isOwn = (line) => FRAME.test(line) && (line.includes(OWN_FOLDER) || line.includes('node:'));
  return stack.split('\n').filter((line) => !isOwn(line)).join('\n');
}

function shortened(text) {
  if (text.length <= MAX_TEXT) return text;
  const half = MAX_TEXT / 2;
  return `${text.slice(0, half)}\n... ${text.length - MAX_TEXT} characters left out ...\n${text.slice(-half)}`;
}

module.exports = { SCRIPT_FILE, ScriptError, syntaxError, scriptError };
