// What a run leaves in its process that would make the next run another one than the first.

'use strict';

const EVENTS = ['unhandledRejection', 'uncaughtException'];
/** Functions of Node.js with which the worker program speaks to the front. A script may replace them. */
const FUNCTIONS = [
  [Buffer, ['allocUnsafe', 'byteLength']],
  [Buffer.prototype, ['copy', 'readUInt32BE', 'toString', 'write', 'writeUInt32BE']],
];
const ORIGINALS = FUNCTIONS.flatMap(([holder, names]) => names.map((name) => [holder, name, holder[name]]));
const MEMBERS = Object.getOwnPropertyNames(Object.prototype).length;

/** Compares the process before and after a run. */
class Traces {
  /** Whether something failed after the answer of its run. */
  failures = false;
  #listeners;

  /** Call it after the listeners of the worker program are there. */
  begin() {
    this.#listeners = this.#count();
  }

  /** Returns whether the process must not serve another run. */
  end() {
    return this.failures || this.#listeners !== this.#count() || isHostChanged();
  }

  #count() {
    return EVENTS.reduce((count, event) => count + process.listenerCount(event), 0);
  }
}

function isHostChanged() {
  if (Object.getOwnPropertyNames(Object.prototype).length !== MEMBERS) return true;
  return ORIGINALS.some(([holder, name, original]) => holder[name] !== original);
}

module.exports = { Traces };
