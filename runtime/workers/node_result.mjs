// Turns the result of a script into JSON, or finds the value in it that JSON cannot represent.

import { ScriptError } from './node_error.mjs';

const { stringify } = JSON;
/** JSON.stringify would write these as an empty object. */
const OPAQUE = [Map, Set, WeakMap, WeakSet, Promise];

/** Returns JSON text: null for undefined; undefined properties are left out. Throws a ScriptError. */
export function encodeResult(result) {
  try {
    return stringify(result === undefined ? null : result, refuse) ?? 'null';
  } catch (error) {
    if (error instanceof RangeError) throw notJson('the result is nested too deeply', result);
    throw firstFault(result) ?? notJson(`the result cannot be written as JSON: ${error?.message}`, result);
  }
}

function refuse(key, value) {
  if (faultOf(value) !== null) throw new TypeError(faultOf(value));
  return value;
}

function faultOf(value) {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? null : String(value);
    case 'function':
    case 'symbol':
    case 'bigint':
      return `a ${typeof value}`;
    case 'object':
      return OPAQUE.some((type) => value instanceof type) ? `a ${value.constructor.name}` : null;
    default:
      return null;
  }
}

/** Searches depth first, without recursion, because the value may be nested to any depth. */
function firstFault(result) {
  const pending = [{ value: result, pointer: '', ancestors: [] }];
  while (pending.length) {
    const { value, pointer, ancestors } = pending.pop();
    if (ancestors.includes(value)) return notJson(`the result contains itself ${place(pointer)}`, value);
    const fault = faultOf(value);
    if (fault !== null) return notJson(`the result holds ${fault} ${place(pointer)}`, value);
    if (typeof value !== 'object' || value === null || typeof value.toJSON === 'function') continue;
    const children = Object.entries(value).map(([key, child]) => ({
      value: child,
      pointer: `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      ancestors: [...ancestors, value],
    }));
    pending.push(...children.reverse());
  }
  return null;
}

function place(pointer) {
  return pointer ? `at ${pointer}` : 'as a whole';
}

function notJson(message, value) {
  const type = value === null || typeof value !== 'object' ? typeof value : (value.constructor?.name ?? 'object');
  return new ScriptError(message, { kind: 'result_not_json', type });
}
