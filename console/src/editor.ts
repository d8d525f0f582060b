// CodeMirror, in a shadow root: there its styles are constructed style sheets, which the strict policy of the page allows.

import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { python } from '@codemirror/lang-python';
import { rust } from '@codemirror/lang-rust';
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic as Mark, lintGutter, setDiagnostics } from '@codemirror/lint';
import { MergeView } from '@codemirror/merge';
import { EditorState, type Extension, Prec, StateEffect, StateField } from '@codemirror/state';
import {
  Decoration, type DecorationSet, EditorView, WidgetType, drawSelection, highlightActiveLine, keymap, lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Diagnostic } from './types';

const MODES: Record<string, () => Extension> = {
  python: () => [python(), indentUnit.of('    ')],
  nodejs: () => javascript(),
  typescript: () => javascript({ typescript: true }),
  rust: () => [rust(), indentUnit.of('    ')],
};

const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta], color: 'var(--code-comment)', fontStyle: 'italic' },
  { tag: [tags.typeName, tags.className, tags.macroName], color: 'var(--code-type)' },
  { tag: tags.function(tags.variableName), color: 'var(--code-function)' },
]);

// Variables of the page reach into the shadow root.
const THEME = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--field)', height: '100%', fontSize: '14px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--field)', color: 'var(--quiet)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'var(--hover)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--selection)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--selection)' },
  '.cm-diagnostic': { fontFamily: 'var(--sans)', whiteSpace: 'pre-wrap' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-message': { margin: '2px 8px', padding: '2px 10px', borderLeft: '3px solid var(--bad)', backgroundColor: 'var(--bad-back)', color: 'var(--text)', fontFamily: 'var(--sans)', whiteSpace: 'pre-wrap' },
  '&.cm-merge-a .cm-changedLine': { backgroundColor: 'var(--deleted)' },
  '&.cm-merge-b .cm-changedLine': { backgroundColor: 'var(--changed)' },
});

/** A message below its line. */
class Message extends WidgetType {
  constructor(private readonly text: string) {
    super();
  }

  override eq(other: Message): boolean {
    return other.text === this.text;
  }

  toDOM(): HTMLElement {
    const element = document.createElement('div');
    element.className = 'cm-message';
    element.textContent = this.text;
    return element;
  }
}

const say = StateEffect.define<{ at: number; text: string }[]>();
const MESSAGES = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (shown, { changes, effects }) => {
    const said = effects.find((effect) => effect.is(say))?.value as { at: number; text: string }[] | undefined;
    if (!said) return shown.map(changes);
    return Decoration.set(said.map(({ at, text }) => Decoration.widget({ widget: new Message(text), block: true, side: 1 }).range(at)), true);
  },
  provide: (field) => EditorView.decorations.from(field),
});

export interface Hooks {
  changed: (text: string) => void;
  run: () => void;
  save: () => void;
}

/** An editor in `host`. Escape and then Tab leaves it; Tab alone indents. */
export class Editor {
  private readonly view: EditorView;

  constructor(host: HTMLElement, language: string, text: string, hooks: Hooks | null, label: string) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    root.replaceChildren();
    const parent = document.createElement('div');
    parent.style.height = '100%';
    root.append(parent);
    const own = hooks === null ? [] : commands(hooks);
    const state = EditorState.create({ doc: text, extensions: [own, MESSAGES, shared(language, label, hooks === null)] });
    this.view = new EditorView({ state, parent, root });
  }

  set text(text: string) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }

  /** Draw what is wrong at its line and column, with the hint. */
  mark(diagnostics: Diagnostic[], hint = ''): void {
    const marks = diagnostics.flatMap(({ line, column, message }): Mark[] => {
      if (line === null || line < 1) return [];
      const [from, to] = this.range(line, column ?? 1);
      return [{ from, to, severity: 'error', message: hint ? `${message}\n${hint}` : message }];
    });
    const said = marks.map(({ to, message }) => ({ at: this.view.state.doc.lineAt(to).to, text: message }));
    this.view.dispatch(setDiagnostics(this.view.state, marks), { effects: say.of(said) });
  }

  /** Put the cursor there and show it. */
  goTo(line: number, column: number): void {
    const [anchor] = this.range(line, column);
    this.view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) });
    this.view.focus();
  }

  destroy(): void {
    this.view.destroy();
  }

  private range(line: number, column: number): [number, number] {
    const { doc } = this.view.state;
    const found = doc.line(Math.min(line, doc.lines));
    const from = Math.min(found.from + Math.max(column, 1) - 1, found.to);
    const word = /^[\p{L}\p{N}_$]+/u.exec(found.text.slice(from - found.from))?.[0].length ?? 1;
    // A mark at the end of a line takes its last character, so that it can be seen.
    return from === found.to ? [Math.max(found.from, from - 1), found.to] : [from, Math.min(from + word, found.to)];
  }
}

/** The difference of two texts, the older one at the left. */
export function difference(host: HTMLElement, language: string, before: string, after: string): () => void {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  root.replaceChildren();
  const parent = document.createElement('div');
  root.append(parent);
  const view = new MergeView({
    a: { doc: before, extensions: shared(language, 'the older version', true) },
    b: { doc: after, extensions: shared(language, 'the newer version', true) },
    parent, root, gutter: true, collapseUnchanged: { margin: 3 },
  });
  return () => view.destroy();
}

function commands(hooks: Hooks): Extension {
  const told = (act: () => void) => (): boolean => (act(), true);
  return [
    EditorView.updateListener.of((update) => update.docChanged && hooks.changed(update.state.doc.toString())),
    Prec.highest(keymap.of([{ key: 'Mod-Enter', run: told(hooks.run) }, { key: 'Mod-s', run: told(hooks.save) }])),
  ];
}

/** Text over a selection, put in by CodeMirror: the browser would copy styles into attributes, which the policy blocks. */
const REPLACED = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    const { from, to, empty } = view.state.selection.main;
    const text = event.data;
    if (event.inputType !== 'insertText' || !text || empty || event.isComposing) return false;
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type' });
    if (!view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, text, insert))) view.dispatch(insert());
    event.preventDefault();
    return true;
  },
});

function shared(language: string, label: string, fixed: boolean): Extension {
  return [
    lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), lintGutter(),
    EditorView.lineWrapping, fixed ? EditorState.readOnly.of(true) : highlightActiveLine(),
    REPLACED, keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
    MODES[language]?.() ?? [], syntaxHighlighting(COLOURS), THEME,
    EditorView.contentAttributes.of({ 'aria-label': label }),
  ];
}
