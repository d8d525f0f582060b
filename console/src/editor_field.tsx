// The editor as a component. CodeMirror comes in a separate file, when an editor is first shown.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Editor, Hooks } from './editor';
import type { Diagnostic } from './types';

const module_ = (): Promise<typeof import('./editor')> => import('./editor');

export interface Marks {
  diagnostics: Diagnostic[];
  hint?: string | undefined;
}

interface Field extends Hooks {
  language: string;
  /** Replaces what is in the editor when it changes. */
  initial: string;
  marks: Marks;
  /** A place to show; a new object goes there again. */
  place: { line: number; column: number } | null;
}

export function EditorField({ language, initial, marks, place, ...hooks }: Field): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(hooks);
  latest.current = hooks;
  const [editor, setEditor] = useState<Editor | null>(null);
  useEffect(() => {
    let made: Editor | null = null;
    let gone = false;
    void module_().then(({ Editor }) => {
      if (gone || !host.current) return;
      const through: Hooks = {
        changed: (text) => latest.current.changed(text), run: () => latest.current.run(), save: () => latest.current.save(),
      };
      made = new Editor(host.current, language, initial, through, 'Script');
      setEditor(made);
    });
    return () => {
      gone = true;
      made?.destroy();
    };
  }, [language, initial]);
  useEffect(() => editor?.mark(marks.diagnostics, marks.hint), [editor, marks]);
  useEffect(() => {
    if (place) editor?.goTo(place.line, place.column);
  }, [editor, place]);
  return <div class="editor" ref={host} data-ready={editor !== null} />;
}

export function Difference({ language, before, after }: { language: string; before: string; after: string }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let end: (() => void) | null = null;
    let gone = false;
    void module_().then(({ difference }) => {
      if (!gone && host.current) end = difference(host.current, language, before, after);
    });
    return () => {
      gone = true;
      end?.();
    };
  }, [language, before, after]);
  return <div class="difference" ref={host} />;
}
