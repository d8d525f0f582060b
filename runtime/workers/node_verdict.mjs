// What is wrong with a script or its run, in the user's lines and columns and with the user's frames.

import { inspect } from 'node:util';
import { isNativeError } from 'node:util/types';

export const SCRIPT_FILE = 'script.js';

const MAX_TEXT = 16 * 1024;
const LINE_END = /\r\n|[\n\r\u2028\u2029]/;
const UNEXPECTED_END = 'Unexpected end of input';
const FRAME = /^ {4}at /;
const SCRIPT_FRAME = /(?:^ {4}at |\()script\.js:(\d+):(\d+)\)?$/m;
const OWN_FOLDER = new URL('.', import.meta.url).href;

/** An answer to the front; its members are those of `Verdict` in `protocol.py`. */
export class Verdict extends Error {
  constructor(message, members = {}) {
    super(message);
    const { kind = 'exception', type = null, line = null, column = null } = members;
    const { stackTrace = null, diagnostics = null } = members;
    this.answer = {
      message: shortened(message),
      kind,
      type,
      line,
      column,
      stack_trace: stackTrace === null ? null : shortened(stackTrace),
      diagnostics,
    };
  }

  /** Whether the place of this one comes after that of the other. */
  isBeyond(other) {
    const [mine, theirs] = [this.answer, other.answer];
    if (mine.line !== theirs.line) return mine.line > theirs.line;
    return mine.column > theirs.column;
  }
}

/** For a `text` that does not compile. Node puts the place, the line and a mark below it on top of the stack. */
export function syntaxVerdict(error, text) {
  const [head, , marks] = (stackOf(error) ?? '').split('\n', 3);
  const found = Number(/^script\.js:(\d+)$/.exec(head)?.[1]);
  if (!found) return syntaxVerdictAt(error, error.message, null, null);
  const lines = text.split(LINE_END);
  // Past the script's end stands what closes the function that we wrap around it.
  if (found > lines.length) {
    return syntaxVerdictAt(error, UNEXPECTED_END, lines.length, lines.at(-1).length + 1);
  }
  return syntaxVerdictAt(error, error.message, found, /^\s*/.exec(marks)[0].length + 1);
}

function syntaxVerdictAt({ name }, message, line, column) {
  return new Verdict(message, { type: name, line, column, diagnostics: [{ message, line, column }] });
}

/** For whatever was thrown, or rejected with. */
export function verdictOf(thrown) {
  if (thrown instanceof Verdict) return thrown;
  try {
    return isNativeError(thrown) || thrown instanceof Error ? errorVerdict(thrown) : valueVerdict(thrown);
  } catch {
    return new Verdict('the script threw something that cannot be described');
  }
}

function errorVerdict(error) {
  const stack = stackOf(error);
  const place = SCRIPT_FRAME.exec(stack ?? '');
  return new Verdict(String(error.message) || error.name, {
    // What the confinement answers to a new process.
    kind: error.code === 'EAGAIN' && String(error.syscall).startsWith('spawn') ? 'process_limit' : 'exception',
    type: String(error.constructor?.name || error.name),
    line: place ? Number(place[1]) : null,
    column: place ? Number(place[2]) : null,
    stackTrace: stack && withoutOwnFrames(stack),
  });
}

function valueVerdict(value) {
  const message = typeof value === 'string' ? value : inspect(value, { breakLength: Infinity });
  return new Verdict(message, { type: value === null ? 'null' : typeof value });
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
