// Compiles a script in each of the forms that it may have, without running it, and runs it in the form that compiled.

'use strict';

const Module = require('node:module');
const { createRequire, isBuiltin } = Module;
const { delimiter, join } = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');

const { SCRIPT_FILE, syntaxError } = require('./node_error.cjs');
const { exportedHandler, moduleHandler, noHandler } = require('./node_handler.cjs');
const { wantsBigInt } = require('./node_integers.cjs');

const PATH = join(process.cwd(), SCRIPT_FILE);
const URL_OF_SCRIPT = pathToFileURL(PATH).href;
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];
const NOT_FOUND = 'ERR_MODULE_NOT_FOUND';
/** Node's errors for a module that is compiled in another form. */
const MODULE_SYNTAX = /import statement|'export'|import\.meta/;
/** What an `npm:` specifier declares: a name, a range of versions, a place in the package. */
const DECLARED = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/;
/** Imports that may name a package of the deployment: no file and no URL. */
const PACKAGE = /^[@\w][^:]*$/;
const FILE = /^(?:file:|\.{0,2}\/)/;
const FOLDER_URL = new URL('.', URL_OF_SCRIPT).href;
/** URLs of the `node_modules` folders, the script's own one first. */
let places = (process.env.NODE_PATH ?? '')
  .split(delimiter)
  .filter(Boolean)
  .map((folder) => pathToFileURL(folder).href);
/** The script's own folder of packages, null if it has none, and what requires from there. */
let packages = null;
let requireFromPackages = null;
// On a separate line, so that the columns of the script's first line do not change.
const ASYNC_START = 'return (async () => {\n';
const ASYNC_END = '\n})()';

/**
 * Compiles the source as CommonJS (also a bare function body), as a body that awaits, and as an ES module. Returns
 * the first that compiles. Throws the ScriptError with the place furthest into the text.
 */
function readScript(source) {
  // A byte order mark and a `#!` line are not valid inside a function.
  const text = source.replace(/^\uFEFF/, '').replace(/^#!/, '//');
  const failures = [];
  for (const Reading of [CommonJS, AwaitingBody, ESModule]) {
    try {
      const script = new Reading(text);
      script.wantsBigInt = wantsBigInt(text);
      return script;
    } catch (error) {
      failures.push(Reading.failure(error, text));
    }
  }
  const [asCommonJS, , asModule] = failures;
  if (MODULE_SYNTAX.test(asCommonJS.message)) throw asModule;
  throw failures.reduce((furthest, failure) => (failure.isBeyond(furthest) ? failure : furthest));
}

/** A CommonJS module, or a function body, which runs completely each time. */
class CommonJS {
  #scope = {};
  #top;
  #handler = null;
  #require = null;
  /** Like a script that was started by its name, if it exports nothing; like an imported one, if it may. */
  #isMain;

  constructor(text) {
    this.#isMain = !/\bexports\b/.test(text);
    this.#top = this.compile(text, this.#scope);
  }

  compile(text, scope, lineOffset = 0) {
    return vm.compileFunction(text, PARAMETERS, {
      filename: SCRIPT_FILE,
      lineOffset,
      // A scope around the script's, because it may declare `event` itself.
      contextExtensions: [scope],
      importModuleDynamically: importFrom,
    });
  }

  static failure(error, text) {
    return syntaxError(error, text);
  }

  /** Returns the result. `run` is told when the top level is done, and when the handler waits for its callback. */
  async run(event, run) {
    return this.#handler ? this.#handler(event, run) : this.#runTopLevel(event, run);
  }

  async #runTopLevel(event, run) {
    const module = newModule();
    const untouched = module.exports;
    this.#require ??= requireOfScript();
    this.#require.main = this.#isMain ? module : newModule();
    this.#scope.event = event;
    const returned = await this.#top.call(
      untouched, untouched, this.#require, module, PATH, process.cwd(),
    );
    module.loaded = true;
    const { exports } = module;
    const handler = exportedHandler(exports);
    if (handler) {
      delete this.#scope.event;
      this.#handler = handler;
      run.evaluated();
      return handler(event, run);
    }
    if (returned === undefined || exports !== untouched) throw noHandler();
    return returned;
  }
}

function newModule() {
  const module = new Module(PATH, null);
  module.filename = PATH;
  module.paths = Module._nodeModulePaths(process.cwd());
  return module;
}

/** The same for a source that awaits outside any function. */
class AwaitingBody extends CommonJS {
  compile(text, scope) {
    return super.compile(ASYNC_START + text + ASYNC_END, scope, -1);
  }
}

/** The same in strict mode, which applies to every module. */
class StrictBody extends CommonJS {
  compile(text, scope) {
    return super.compile(`'use strict'; ${ASYNC_START}${text}${ASYNC_END}`, scope, -1);
  }
}

/** An ES module. It is linked and evaluated at the first execution, and again after an evaluation that failed. */
class ESModule {
  #text;
  #module;
  #handler = null;

  constructor(text) {
    this.#text = text;
    this.#module = this.#parse();
  }

  /**
   * Node says what is wrong with a module, but not where. So the source is compiled again as a body, with blanks in
   * place of imports and exports. If that finds the same error, its place is used.
   */
  static failure(error, text) {
    const body = withoutModuleSyntax(text);
    try {
      new StrictBody(body);
    } catch (found) {
      const located = syntaxError(found, body);
      if (located.message === error.message) return located;
    }
    return syntaxError(error, text);
  }

  async run(event, run) {
    if (this.#handler === null) {
      this.#handler = await this.#evaluate();
      run.evaluated();
    }
    return this.#handler(event, run);
  }

  async #evaluate() {
    const module = this.#module ?? this.#parse();
    this.#module = null;
    await module.link(linkImport);
    await module.evaluate();
    const handler = moduleHandler(module.namespace);
    if (!handler) throw noHandler();
    return handler;
  }

  #parse() {
    return new vm.SourceTextModule(this.#text, {
      identifier: SCRIPT_FILE,
      importModuleDynamically: importFrom,
      initializeImportMeta: (meta) => {
        meta.dirname = process.cwd();
        meta.filename = PATH;
        meta.main = false;
        meta.resolve = located;
        meta.url = URL_OF_SCRIPT;
      },
    });
  }
}

/** Replaces import and export statements by text of the same length, so that other characters keep their place. */
function withoutModuleSyntax(text) {
  const blank = (statement) => statement.replace(/[^\n]/g, ' ');
  return text
    .replace(/^[ \t]*(?:import|export)\b[^;'"()=]*\bfrom[ \t]*(['"])[^'"\n]*\1/gm, blank)
    .replace(/^[ \t]*import[ \t]*(['"])[^'"\n]*\1/gm, blank)
    .replace(/^[ \t]*export\s*\{[^}]*\}/gm, blank)
    .replace(/(?<=^[ \t]*)export[ \t]+default\b/gm, (words) => '0,'.padEnd(words.length))
    .replace(/^[ \t]*export\b/gm, blank);
}

/** Lets the script import the packages in a folder, before those of the deployment. */
function addPackages(folder) {
  const modules = join(folder, 'node_modules');
  places = [pathToFileURL(modules).href, ...places];
  packages = folder;
  // Node.js reads it here for `require`, and in threads that the script starts.
  process.env.NODE_PATH = [modules, process.env.NODE_PATH].filter(Boolean).join(delimiter);
  Module._initPaths();
}

/** Returns what `require` is for the script: it takes `npm:` specifiers too. */
function requireOfScript() {
  const require = createRequire(PATH);
  const resolve = (name, ...options) => declaredPath(name) ?? require.resolve(name, ...options);
  const wrapped = (name) => require(declaredPath(name) ?? name);
  return Object.assign(wrapped, require, { resolve: Object.assign(resolve, require.resolve) });
}

/** Returns the path of what an `npm:` specifier names for `require`; undefined for other names. */
function declaredPath(name) {
  const declared = DECLARED.exec(name);
  return declared ? resolveDeclared(name, declared, pathInPackages) : undefined;
}

/** Calls `resolve` with the bare name of a specifier. Throws an error that names the specifier. */
function resolveDeclared(specifier, [, name, place = ''], resolve) {
  try {
    if (packages) return resolve(name + (isBuiltin(name) && !place ? '/' : place));
  } catch (error) {
    if (error.code !== NOT_FOUND && error.code !== 'MODULE_NOT_FOUND') throw error;
  }
  throw notFound(`'${name}${place}': '${specifier}' is not among the packages of this script`);
}

function notFound(what) {
  return Object.assign(new Error(`Cannot find module ${what}`), { code: NOT_FOUND });
}

/** Imports what the script at `URL_OF_SCRIPT` names. Node's arguments: specifier, what imports it, attributes. */
async function importFrom(specifier, referrer, attributes) {
  return import(located(specifier), { with: { ...attributes } });
}

/** Returns the URL of an import: of a built-in module, a file in the script's folder, a text, or a package. */
function located(specifier) {
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`;
  if (specifier.startsWith('data:')) return specifier;
  const declared = DECLARED.exec(specifier);
  if (declared) return resolveDeclared(specifier, declared, urlInPackages);
  const file = FILE.test(specifier) ? new URL(specifier, URL_OF_SCRIPT).href : '';
  if (file.startsWith(FOLDER_URL)) return file;
  for (const place of PACKAGE.test(specifier) ? places : []) {
    try {
      return resolveImport(specifier, place);
    } catch (error) {
      if (error.code !== NOT_FOUND) throw error;
    }
  }
  throw notFound(`'${specifier}'`);
}

/** Returns the path of a module in the script's own folder of packages, as `require` finds it. */
function pathInPackages(name) {
  requireFromPackages ??= createRequire(join(packages, SCRIPT_FILE));
  return requireFromPackages.resolve(name);
}

/** Returns the URL of the same, as `import` finds it, which has no name for a package that is built in too. */
function urlInPackages(name) {
  return name.endsWith('/') ? pathToFileURL(pathInPackages(name)).href : resolveImport(name, places[0]);
}

/** Returns the URL of what `import` finds from a place. Loaded late: it starts Node's loader of ES modules. */
function resolveImport(name, place) {
  return require('./node_resolve.mjs').resolve(name, place);
}

async function linkImport(specifier, referencing, { attributes }) {
  const namespace = await importFrom(specifier, referencing, attributes);
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(
    names,
    function evaluate() {
      for (const name of names) this.setExport(name, namespace[name]);
    },
    { context: referencing.context },
  );
}

module.exports = { readScript, addPackages };
