// Turns the result of a script into JSON, or finds the value in it that JSON cannot represent.

'use strict';

const {
  isAnyArrayBuffer, isBoxedPrimitive, isMap, isNativeError, isPromise, isRegExp, isSet,
} = require('node:util/types');

const { ScriptError } = require('./node_error.cjs');

const { stringify } = JSON;
const { getPrototypeOf, hasOwn, keys: keysOf } = Object;
const { toString } = Object.prototype;
const { toJSON: dateToJSON } = Date.prototype;
/** Deepest nesting that the front accepts: its message around the result is the 200th level. */
const MAX_DEPTH = 199;
/** Objects with content that is no property, even if they have properties too. */
const OPAQUE = [isMap, isSet, isPromise, isRegExp, isAnyArrayBuffer, ArrayBuffer.isView];

/** Returns whether a result is a generator or another iterator, with or without `async`. */
function isIterator(result) {
  if (typeof result !== 'object' || typeof result?.next !== 'function') return false;
  return typeof result[Symbol.asyncIterator] === 'function' || typeof result[Symbol.iterator] === 'function';
}

/** Returns the values of an iterator as a list. */
async function listed(result, maxBytes) {
  const values = [];
  const add = (value) => {
    // Each takes two bytes at least.
    if (values.push(value) * 2 > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
  };
  if (typeof result[Symbol.asyncIterator] === 'function') for await (const value of result) add(value);
  else for (const value of result) add(value);
  return values;
}

/** Returns JSON text: null for undefined; undefined properties are left out. Throws a ScriptError. */
function encodeResult(result, maxBytes) {
  const encoded = isPlain(result, maxBytes) ? ofPlain(result, maxBytes) : new Writer(maxBytes).encode(result);
  const size = Buffer.byteLength(encoded);
  if (size > maxBytes) throw tooLarge(size, maxBytes);
  return encoded;
}

function isPlain(result, maxBytes) {
  try {
    return new Plain(maxBytes).has(result);
  } catch (error) {
    if (error instanceof ScriptError) throw error;
    return false; // a getter failed: the writer tells where
  }
}

function ofPlain(result, maxBytes) {
  try {
    return stringify(result) ?? 'null';
  } catch (error) {
    // Nothing in it can fail but the length of the text.
    if (error instanceof RangeError) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    throw error;
  }
}

/** Ends the walk through objects that hold each other again and again: each takes two bytes of the result at least. */
class Budget {
  #left;
  #maxBytes;

  constructor(maxBytes) {
    this.#left = this.#maxBytes = maxBytes;
  }

  spend() {
    this.#left -= 2;
    if (this.#left < 0) throw tooLarge(`more than ${this.#maxBytes}`, this.#maxBytes);
  }
}

/** Looks whether JSON.stringify writes a value as it is. That is faster than to write it here. */
class Plain {
  #ancestors = [];
  #budget;

  constructor(maxBytes) {
    this.#budget = new Budget(maxBytes);
  }

  has(value) {
    switch (typeof value) {
      case 'string':
      case 'boolean':
      case 'undefined':
        return true;
      case 'number':
        return value - value === 0;
      case 'object':
        return value === null || this.#hasObject(value);
      default:
        return false;
    }
  }

  #hasObject(value) {
    if (value.toJSON !== undefined) return value.toJSON === dateToJSON && isValidDate(value);
    const ancestors = this.#ancestors;
    this.#budget.spend();
    if (ancestors.includes(value) || ancestors.push(value) > MAX_DEPTH) return false;
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) if (!this.has(value[index])) return false;
    } else {
      const prototype = getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null && opaqueName(value) !== null) return false;
      for (const key in value) if (!this.has(value[key])) return false;
    }
    ancestors.pop();
    return true;
  }
}

/** Writes what JSON.stringify would write, and BigInts digit by digit. Refuses what JSON.stringify would lose. */
class Writer {
  /** The objects around the value that is being written, and the key in each of them that leads to it. */
  #ancestors = [];
  #keys = [];
  #budget;

  constructor(maxBytes) {
    this.#budget = new Budget(maxBytes);
  }

  encode(result) {
    try {
      return this.#write(result, '') ?? 'null';
    } catch (error) {
      if (error instanceof ScriptError) throw error;
      const why = error instanceof Error ? error.message : error;
      throw notJson(`the result cannot be written as JSON ${this.#place()}: ${String(why)}`, result);
    }
  }

  /** Returns undefined for undefined, which is left out or null, depending on where it is. */
  #write(given, key) {
    const value = withoutBox(converted(given, key));
    switch (typeof value) {
      case 'string':
        return stringify(value);
      case 'number':
        if (!Number.isFinite(value)) throw this.#fault(String(value), value);
        return String(value);
      case 'bigint':
      case 'boolean':
        return String(value);
      case 'undefined':
        return undefined;
      case 'object':
        if (value !== null) return this.#writeObject(value);
        if (given instanceof Date && !isValidDate(given)) throw this.#fault('an invalid Date', given);
        return 'null';
      default:
        throw this.#fault(`a ${typeof value}`, value);
    }
  }

  #writeObject(value) {
    if (this.#ancestors.includes(value)) throw notJson(`the result contains itself ${this.#place()}`, value);
    const isArray = Array.isArray(value);
    const name = isArray ? null : opaqueName(value);
    if (name !== null) throw this.#fault(name, value);
    if (this.#ancestors.length === MAX_DEPTH) throw notJson('the result is nested deeper than 200 levels', value);
    this.#budget.spend();
    this.#ancestors.push(value);
    const text = isArray ? this.#writeItems(value) : this.#writeMembers(value);
    this.#ancestors.pop();
    return text;
  }

  #writeItems(list) {
    let text = '[';
    const depth = this.#ancestors.length - 1;
    for (let index = 0; index < list.length; index++) {
      const key = (this.#keys[depth] = String(index));
      const item = this.#write(list[index], key) ?? 'null';
      text += index ? `,${item}` : item;
    }
    return `${text}]`;
  }

  #writeMembers(object) {
    let text = '';
    const depth = this.#ancestors.length - 1;
    for (const key of keysOf(object)) {
      this.#keys[depth] = key;
      const member = this.#write(object[key], key);
      if (member !== undefined) text += `${text ? ',' : ''}${stringify(key)}:${member}`;
    }
    return `{${text}}`;
  }

  #fault(name, value) {
    return notJson(`the result holds ${name} ${this.#place()}`, value);
  }

  /** Returns the place of the value that is being written, as a JSON pointer. */
  #place() {
    const keys = this.#keys.slice(0, this.#ancestors.length);
    if (!keys.length) return 'as a whole';
    return `at ${keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`;
  }
}

function converted(value, key) {
  const type = typeof value;
  if (value === null || (type !== 'object' && type !== 'function' && type !== 'bigint')) return value;
  return typeof value.toJSON === 'function' ? value.toJSON(key) : value;
}

function withoutBox(value) {
  return isBoxedPrimitive(value) ? value.valueOf() : value;
}

function isValidDate(value) {
  return toString.call(value) === '[object Date]' && value - value === 0;
}

/** Returns a name for an object that its properties do not represent; null for others. */
function opaqueName(value) {
  if (isNativeError(value) || value instanceof Error) return described(value);
  const prototype = getPrototypeOf(value);
  // The prototype of another realm's plain objects has no prototype either.
  const isPlain = prototype === null || getPrototypeOf(prototype) === null;
  if (OPAQUE.every((isOpaque) => !isOpaque(value)) && (hasKeys(value) || (isPlain && isObjectByName(value)))) return null;
  return withArticle(nameOf(value) ?? 'object without properties');
}

function isObjectByName(value) {
  return toString.call(value) === '[object Object]';
}

function hasKeys(value) {
  for (const key in value) if (hasOwn(value, key)) return true;
  return false;
}

function described(error) {
  return `${withArticle(nameOf(error) ?? 'Error')} (${String(error.message)})`;
}

function withArticle(name) {
  return `${/^[AEIOaeio]/.test(name) ? 'an' : 'a'} ${name}`;
}

function nameOf(value) {
  const name = value.constructor?.name;
  if (typeof name === 'string' && name && name !== 'Object') return name;
  const tag = toString.call(value).slice('[object '.length, -1);
  return tag === 'Object' ? null : tag;
}

function tooLarge(size, maxBytes) {
  return new ScriptError(`the result has ${size} bytes, the limit is ${maxBytes}`, { kind: 'output_limit' });
}

function notJson(message, value) {
  const isObject = typeof value === 'object' && value !== null;
  return new ScriptError(message, {
    kind: 'result_not_json',
    type: isObject ? (nameOf(value) ?? 'object') : typeof value,
  });
}

module.exports = { isIterator, listed, encodeResult };
