// Compiles a script in each of the forms that it may have, without running it, and runs it in the form that compiled.

import { createRequire, isBuiltin } from 'node:module';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isAsyncFunction } from 'node:util/types';
import vm from 'node:vm';

import { SCRIPT_FILE, ScriptError, syntaxError } from './node_error.mjs';

const FORMS =
  'module.exports = async (event) => ..., module.exports = (context, callback) => ..., exports.handler = ..., ' +
  'an ES module with a default export or an exported handler, or a function body that returns its result';

const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];
const NOT_FOUND = 'ERR_MODULE_NOT_FOUND';
/** Node's errors for a module that is compiled in another form. */
const MODULE_SYNTAX = /import statement|'export'|import\.meta/;
/** Imports that may name a package of the deployment: no file and no URL. */
const PACKAGE = /^[@\w][^:]*$/;
/** URLs of the deployment's `node_modules` folders. */
const PLACES = (process.env.NODE_PATH ?? '')
  .split(delimiter)
  .filter(Boolean)
  .map((folder) => pathToFileURL(folder).href);
// On a separate line, so that the columns of the script's first line do not change.
const ASYNC_START = 'return (async () => {\n';
const ASYNC_END = '\n})()';

/**
 * Compiles the source as CommonJS (also a bare function body), as a body that awaits, and as an ES module. Returns
 * the first that compiles. Throws the ScriptError with the place furthest into the text.
 */
export function readScript(source) {
  // A byte order mark and a `#!` line are not valid inside a function.
  const text = source.replace(/^\uFEFF/, '').replace(/^#!/, '//');
  const failures = [];
  for (const Reading of [CommonJS, AwaitingBody, ESModule]) {
    try {
      return new Reading(text);
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

  constructor(text) {
    this.#top = this.compile(text, this.#scope);
  }

  compile(text, scope, lineOffset = 0) {
    return vm.compileFunction(text, PARAMETERS, {
      filename: SCRIPT_FILE,
      lineOffset,
      // A scope around the script's, because it may declare `event` itself.
      contextExtensions: [scope],
      importModuleDynamically: importInstalled,
    });
  }

  static failure(error, text) {
    return syntaxError(error, text);
  }

  async run(event) {
    return this.#handler ? this.#handler(event) : this.#runTopLevel(event);
  }

  async #runTopLevel(event) {
    const path = join(process.cwd(), SCRIPT_FILE);
    const module = { exports: {}, id: SCRIPT_FILE, filename: path, loaded: false };
    const untouched = module.exports;
    this.#scope.event = event;
    const returned = await this.#top.call(
      module.exports, module.exports, createRequire(path), module, path, process.cwd(),
    );
    const { exports } = module;
    const handler = firstFunction(exports, exports?.handler, exports?.handle, exports?.default);
    if (handler) {
      delete this.#scope.event;
      this.#handler = adapted(handler);
      return this.#handler(event);
    }
    if (returned === undefined || exports !== untouched) throw noHandler();
    return returned;
  }
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

  async run(event) {
    this.#handler ??= adapted(await this.#evaluate());
    return this.#handler(event);
  }

  async #evaluate() {
    const module = this.#module ?? this.#parse();
    this.#module = null;
    await module.link(linkInstalled);
    await module.evaluate();
    const { default: byDefault, handler, handle } = module.namespace;
    const found = firstFunction(byDefault, handler, handle, byDefault?.handler);
    if (!found) throw noHandler();
    return found;
  }

  #parse() {
    return new vm.SourceTextModule(this.#text, {
      identifier: SCRIPT_FILE,
      importModuleDynamically: importInstalled,
      initializeImportMeta: (meta) => {
        meta.filename = join(process.cwd(), SCRIPT_FILE);
        meta.dirname = process.cwd();
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

function firstFunction(...candidates) {
  return candidates.find((candidate) => typeof candidate === 'function');
}

function noHandler() {
  return new ScriptError(`the script has no handler and returns no result; it may have one of: ${FORMS}`);
}

/** Returns the handler as a function of the event that returns its result or a promise of it. */
function adapted(handler) {
  if (handler.length === 2 && !isAsyncFunction(handler)) return withCallback(handler);
  return (event) => handler(event, event.context);
}

function withCallback(handler) {
  return (event) =>
    new Promise((resolve, reject) => {
      const callback = (error, value) => (error == null ? resolve(value) : reject(error));
      const returned = handler(event, callback);
      // Some handlers take the callback and return a promise: the first of both counts.
      if (typeof returned?.then === 'function') returned.then(resolve, reject);
    });
}

async function importInstalled(specifier) {
  return import(isBuiltin(specifier) ? specifier : located(specifier));
}

/** Returns the URL of a package's module, as a file beside `node_modules` would find it. */
function located(specifier) {
  for (const place of PACKAGE.test(specifier) ? PLACES : []) {
    try {
      return import.meta.resolve(specifier, place);
    } catch (error) {
      if (error.code !== NOT_FOUND) throw error;
    }
  }
  throw Object.assign(new Error(`Cannot find module '${specifier}'`), { code: NOT_FOUND });
}

async function linkInstalled(specifier, referencing) {
  const namespace = await importInstalled(specifier);
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(
    names,
    function evaluate() {
      for (const name of names) this.setExport(name, namespace[name]);
    },
    { context: referencing.context },
  );
}
