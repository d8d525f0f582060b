// Integers of a request that a JavaScript number cannot hold, for scripts that ask for them as BigInt.

'use strict';

const { parse } = JSON;
const SKIPPED = /(?:\s|;|\/\/.*|\/\*[^]*?\*\/)+/y;
const DIRECTIVE = /(['"])(.*?)\1/y;
const LONG = /\d{16}/;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/** Returns whether the source begins with the directive `'use bigint'`, alone or among others such as 'use strict'. */
function wantsBigInt(source) {
  let at = 0;
  const next = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    next(SKIPPED);
    const directive = next(DIRECTIVE);
    if (!directive) return false;
    if (directive[2] === 'use bigint') return true;
  }
}

/**
 * Parses JSON with each integer beyond those that are safe in a number as a BigInt. Newer versions of Node.js give a
 * number's text to the reviver. In older ones it sees values only, so every string is marked as a string or an integer.
 */
function parseExactly(text) {
  if (!LONG.test(text)) return parse(text);
  const marked = text.replace(TOKEN, (token, colon) => {
    if (token[0] === '"') return colon === undefined ? `"s${token.slice(1)}` : token;
    return INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"i${token}"` : token;
  });
  return parse(marked, (key, value) => {
    if (typeof value !== 'string') return value;
    return value[0] === 'i' ? BigInt(value.slice(1)) : value.slice(1);
  });
}

module.exports = { wantsBigInt, parseExactly };
