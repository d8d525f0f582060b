// Starts the worker program: as `node_program.cjs` made it, from a file in the private folder, else from its modules.

'use strict';

const { readFileSync, unlinkSync } = require('node:fs');
const vm = require('node:vm');

const FILE = 'program';
const LENGTH_BYTES = 4;

/** Returns what starts the program, null if it was not made. The script finds no file in its folder. */
function made() {
  let file;
  try {
    file = readFileSync(FILE);
    unlinkSync(FILE);
  } catch {
    return null;
  }
  const end = LENGTH_BYTES + file.readUInt32BE(0);
  return new vm.Script(file.latin1Slice(LENGTH_BYTES, end), {
    filename: `${__dirname}/node_worker.cjs`,
    cachedData: file.subarray(end),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext();
}

const start = made() ?? (() => require('./node_worker.cjs'));
start(require, __dirname);

// A script finds no module of ours: neither as the program's main one, nor among those that were loaded.
process.mainModule = undefined;
for (const path of Object.keys(require.cache)) delete require.cache[path];
