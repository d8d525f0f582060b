// A script that tells what scripts may import. It runs as one of them, and finds what they find.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { delimiter, join } from 'node:path';

export default () => ({
  version: process.versions.node,
  standard_library: builtinModules.filter((name) => !name.startsWith('_')).sort(),
  packages: Object.fromEntries([...packages()].sort()),
});

/** Versions by name. What stands in an earlier folder is what an import finds. */
function packages() {
  const folders = (process.env.NODE_PATH ?? '').split(delimiter).filter(existsSync);
  const found = new Map();
  for (const folder of folders.reverse()) {
    for (const name of names(folder)) found.set(name, version(join(folder, name)));
  }
  return found;
}

/** Of a folder's packages; those with a scope stand one level deeper. */
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
