// A script of ours that takes the types out of a TypeScript source, with every other character left in its place.
// The parser takes 20 MiB and 100 ms, so it has a worker that ends afterwards, and users' workers never load it.

import { stripTypeScriptTypes } from 'node:module';

// A function body may return and await, which a module may not. On separate lines, so that columns do not change.
const BODY_START = 'async function body() {\n';
const BODY_END = '\n}';
const RETURN_OUTSIDE = 'Return statement is not allowed here';
const NO_EXPRESSION = 'Expression expected';
const AT_END = /got '<eof>'|token `<eof>`/;
const UNEXPECTED_END = 'Unexpected end of input';
const MARKS = /^( *)\^+$/m;
/** Characters that take two columns of a terminal, or none. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /[\p{M}\u200b-\u200d]/u;
const TAB_COLUMNS = 4;

/** Returns `text`, the source without types, or the `error` of one that cannot be stripped, as of `ScriptError`. */
export default ({ params }) => {
  // As in `readScript`: a byte order mark and a `#!` line are not valid inside a function.
  const source = params.source.replace(/^\uFEFF/, '').replace(/^#!/, '//');
  try {
    return { text: stripTypeScriptTypes(source) };
  } catch (asModule) {
    const body = BODY_START + source + BODY_END;
    try {
      return { text: stripTypeScriptTypes(body).slice(BODY_START.length, -BODY_END.length) };
    } catch (asBody) {
      if (asModule.message !== RETURN_OUTSIDE) return { error: described(asModule, source, source, 0) };
      return { error: described(asBody, source, body, 1) };
    }
  }
};

/** Returns an error of `parsed`, which is the source behind `linesBefore` lines. */
function described(error, source, parsed, linesBefore) {
  const reported = placeOf(error, parsed);
  const place = reported && (earlierPlace(error, reported, parsed) ?? reported);
  const lines = source.split('\n');
  const line = place ? place.line - linesBefore : null;
  if (AT_END.test(error.message) || line > lines.length) {
    return answer(error, UNEXPECTED_END, lines.length, lines.at(-1).length + 1);
  }
  return answer(error, error.message, line, place?.column ?? null);
}

function answer({ code }, message, line, column) {
  return { message, type: code, line, column, diagnostics: [{ message, line, column }] };
}

/**
 * Returns the place of an error that the parser has passed over, else undefined. It goes on after an operator without
 * operand in an expression (`1 +* 2`), and then reports the end of that expression. The text before it tells more.
 */
function earlierPlace(error, { line, column }, parsed) {
  if (error.message === RETURN_OUTSIDE) return undefined;
  const before = parsed.split('\n').slice(0, line);
  const text = [...before.slice(0, -1), before.at(-1).slice(0, column - 1)].join('\n');
  try {
    stripTypeScriptTypes(text);
  } catch (found) {
    // At the end of the text nothing is marked.
    const isEarlier = found.message === NO_EXPRESSION && MARKS.test(snippetOf(found));
    return isEarlier ? placeOf(found, text) : undefined;
  }
  return undefined;
}

/**
 * Returns line and column of an error in the parsed text, undefined if it has none. Node's stack begins with `:`, the
 * line and some lines of the text, with marks below the place, or `>` before its lines if they are several.
 */
function placeOf(error, parsed) {
  const line = Number(/^:(\d+)\n/.exec(error.stack)?.[1]);
  if (!line) return undefined;
  const text = parsed.split('\n')[line - 1] ?? '';
  const marks = MARKS.exec(snippetOf(error));
  return { line, column: marks ? columnAt(text, marks[1].length) : /^\s*/.exec(text)[0].length + 1 };
}

function snippetOf(error) {
  return error.stack.slice(0, error.stack.indexOf(`\n\n${error.name} [`));
}

/** Returns the column, counted from 1 in UTF-16 units, of the character that a terminal shows after `width` columns. */
function columnAt(text, width) {
  let column = 1;
  let shown = 0;
  for (const character of text) {
    if (shown >= width && !COMBINING.test(character)) break;
    shown += character === '\t' ? TAB_COLUMNS : WIDE.test(character) ? 2 : COMBINING.test(character) ? 0 : 1;
    column += character.length;
  }
  return column;
}
