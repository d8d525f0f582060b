// Prints the version of Node.js, and the worker program for `node_start.cjs`: all of its modules as one text, and the
// code that V8 compiles it to. A blank worker then finds, reads and compiles nothing. Run with the flags of a worker,
// because V8 takes code only under the flags that it was made with.

'use strict';

const { readFileSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');
const vm = require('node:vm');

/** In an order in which each module comes after those that it requires. The last one is the program. */
const MODULES = ['error', 'integers', 'handler', 'result', 'script', 'traces', 'worker'];

function textOf(module) {
  const name = `./node_${module}.cjs`;
  const body = readFileSync(`${__dirname}/${name}`, 'latin1');
  return `define('${name}', (require, module, exports) => {${body}});\n`;
}

const text = `(nodeRequire, __dirname) => {
const loaded = new Map();
const require = (name) => loaded.get(name) ?? nodeRequire(name);
const define = (name, load) => {
  const module = { exports: {} };
  load(require, module, module.exports);
  loaded.set(name, module.exports);
};
${MODULES.map(textOf).join('')}}`;

// Every function is compiled, also those that V8 would compile when they are called first.
setFlagsFromString('--no-lazy');
const script = new vm.Script(text, { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
setFlagsFromString('--lazy');

const version = Buffer.from(`${process.version}\n`);
const length = Buffer.alloc(4);
length.writeUInt32BE(text.length);
process.stdout.write(Buffer.concat([version, length, Buffer.from(text, 'latin1'), script.createCachedData()]));
