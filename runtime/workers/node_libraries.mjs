// A script that lists what scripts may import. It runs in a worker like them, and so finds the same.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { delimiter, join } from 'node:path';

export default () => ({
  version: process.versions.node,
  standard_library: builtinModules.filter((name) => !name.startsWith('_')).sort(),
  packages: Object.fromEntries([...packages()].sort()),
});

/** Returns versions by name. An import finds the one in the earlier folder, so that one is set last. */
function packages() {
  const folders = (process.env.NODE_PATH ?? '').split(delimiter).filter(existsSync);
  const found = new Map();
  for (const folder of folders.reverse()) {
    for (const name of names(folder)) found.set(name, version(join(folder, name)));
  }
  return found;
}

/** Returns the names of a folder's packages. Those with a scope are one level deeper. */
function names(folder) {
  const entries = readdirSync(folder).filter((name) => !name.startsWith('.'));
  const scoped = (scope) => readdirSync(join(folder, scope)).map((name) => `${scope}/${name}`);
  return entries.flatMap((name) => (name.startsWith('@') ? scoped(name) : [name]));
}

function version(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version ?? null;
  } catch {
    return null;
  }
}
