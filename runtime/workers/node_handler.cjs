// Finds the handler among a script's exports, and calls it in the way that its parameters ask for.

'use strict';

const { EventEmitter } = require('node:events');
const { isAsyncFunction } = require('node:util/types');

const { ScriptError } = require('./node_error.cjs');

const { apply, defineProperty } = Reflect;
const FORMS =
  'module.exports = async (event) => ..., module.exports = (context, callback) => ..., exports.handler = ..., ' +
  'an ES module with a default export or an exported handler, or a function body that returns its result';
const NEVER_CALLED =
  'the handler returned nothing and never called its callback; a function of two or more parameters that is not ' +
  'async returns its result, or calls callback(error, result)';
const TIMERS = [setTimeout(() => {}), setImmediate(() => {})];
const TIMER_TYPES = TIMERS.map((timer) => timer.constructor);
clearTimeout(TIMERS[0]);
clearImmediate(TIMERS[1]);

/** Characters of a function in which its parameters are searched. */
const LONGEST_HEAD = 4096;
const NATIVE = /\{\s*\[native code\]\s*\}$/;
/** A comma that is not the last character of the list, or a rest parameter. */
const MORE = /^(?:,(?!\s*\))|\.\.\.)/;
/** Parts of a parameter list in which commas and brackets mean nothing else: strings, comments. */
const INERT = /(['"`])(?:\\[^]|(?!\1)[^\\])*\1|\/\*[^]*?\*\/|\/\/.*/g;

/** Returns the handler of the exports of a CommonJS module as a function of the event; null if there is none. */
function exportedHandler(exported) {
  return isCallable(exported) ? adapted(exported) : memberHandler(exported, exported, ['handler', 'handle', 'default']);
}

/** Returns the same for the namespace of an ES module. Its functions have no `this`. */
function moduleHandler(namespace) {
  return memberHandler(namespace, undefined, ['default', 'handler', 'handle']);
}

function noHandler() {
  return new ScriptError(`the script has no handler and returns no result; it may have one of: ${FORMS}`);
}

function memberHandler(holder, receiver, names) {
  const found = names.find((name) => isCallable(holder?.[name]));
  if (found) return adapted(holder[found], receiver);
  const inner = holder?.default;
  return inner && inner !== holder && names.includes('default') ? memberHandler(inner, inner, ['handler', 'handle']) : null;
}

function isCallable(value) {
  return typeof value === 'function' && !/^class\b/.test(sourceOf(value));
}

function sourceOf(handler) {
  return apply(Function.prototype.toString, handler, []);
}

/**
 * Returns a function of the event and its run. The run is told when the handler waits for its callback, and what to do
 * if nothing is left that could call it.
 */
function adapted(handler, receiver) {
  if (!takesMore(handler)) return (event) => apply(handler, receiver, [event]);
  const awaitsCallback = !isAsyncFunction(handler) && (handler.length > 1 || !NATIVE.test(sourceOf(handler)));
  // It may call back after the end of its promise, or never.
  const namesCallback = handler.length > 2;
  return (event, run) => {
    let resolve, reject;
    const outcome = new Promise((...settle) => ([resolve, reject] = settle));
    const callback = (error, value) => (error == null ? resolve(value) : reject(error));
    try {
      const returned = apply(handler, receiver, [event, contextOf(callback, reject, event.context), callback]);
      // Not `resolve`, which would decide now: what is called back until the promise settles counts.
      if (typeof returned?.then === 'function') {
        returned.then((value) => (value === undefined && namesCallback ? run.waiting(resolve) : resolve(value)), reject);
      } else if (awaitsCallback && isNoResult(returned)) run.waiting(() => reject(new ScriptError(NEVER_CALLED)));
      else resolve(returned);
    } catch (error) {
      reject(error);
    }
    return outcome;
  };
}

/** Returns whether that is what a function that answers later returns by the way, `=> setTimeout(callback)`, say. */
function isNoResult(returned) {
  return returned === undefined || returned instanceof EventEmitter || TIMER_TYPES.includes(returned?.constructor);
}

/** Returns the second argument: the callback itself, with the context's keys, and the methods of OpenFaaS' context. */
function contextOf(callback, reject, context) {
  let code = 200;
  let sent = {};
  const define = (name, value, enumerable) =>
    defineProperty(callback, name, { value, enumerable, configurable: true, writable: true });
  define('status', (given) => (given === undefined ? code : ((code = given), callback)), false);
  define('headers', (given) => (given === undefined ? sent : ((sent = given), callback)), false);
  define('succeed', (value) => callback(null, value), false);
  define('fail', (error) => reject(error ?? new Error('the script called fail without an error')), false);
  define('toJSON', () => context, false);
  for (const key of Object.keys(context)) define(key, context[key], true);
  return callback;
}

/** Returns whether the handler takes more than the event. Its `length` ends at a default value or rest parameter. */
function takesMore(handler) {
  const source = sourceOf(handler);
  // The source of bound functions is not known.
  return handler.length > 1 || NATIVE.test(source) || /\barguments\b/.test(source) || hasMoreParameters(source);
}

/** Returns whether the first list in parentheses has a comma outside of brackets, or a rest parameter. */
function hasMoreParameters(source) {
  const text = source.slice(0, LONGEST_HEAD).replace(INERT, (inert) => (inert[0] === '/' ? ' ' : '0'));
  if (/^(?:async\s+)?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*\s*=>/u.test(text)) return false;
  let depth = 0;
  for (let at = text.indexOf('('); at < text.length; at++) {
    if ('([{'.includes(text[at])) depth++;
    else if (')]}'.includes(text[at]) && --depth === 0) return false;
    else if (depth === 1 && MORE.test(text.slice(at))) return true;
  }
  return false;
}

module.exports = { exportedHandler, moduleHandler, noHandler };
