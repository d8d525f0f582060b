// Edit and run: the script at one side; running, examples and settings at the other.

import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import * as api from '../api';
import { type Marks, EditorField } from '../editor_field';
import { body, definitionOf, placesOf } from '../definition';
import { same } from '../format';
import { Confirm, Show, useLoad } from '../load';
import { go, href, leaving } from '../router';
import { LABELS, isLanguage, template } from '../templates';
import type { Definition, FunctionDetail } from '../types';
import { SavePanel } from './save_panel';
import { type Panel, SidePanel } from './side_panel';

export function NewFunction({ language }: { language: string }): JSX.Element {
  if (!isLanguage(language)) return <p class="empty">There is no language of this name.</p>;
  return <Workbench language={language} detail={null} start={template(language)} reload={() => undefined} />;
}

export function OneFunction({ reference }: { reference: string }): JSX.Element {
  const loaded = useLoad(() => api.describeFunction(reference), [reference]);
  return (
    <Show of={loaded}>
      {(detail) => <Workbench language={detail.language} detail={detail} start={definitionOf(detail)} reload={loaded.again} />}
    </Show>
  );
}

interface Work {
  language: string;
  detail: FunctionDetail | null;
  start: Definition;
  reload: () => void;
}

function Workbench({ language, detail: opened, start, reload }: Work): JSX.Element {
  const [detail, setDetail] = useState(opened);
  const [definition, setDefinition] = useState(start);
  const [panel, setPanel] = useState<Panel>('Run');
  const [marks, setMarks] = useState<Marks>({ diagnostics: [] });
  const [place, setPlace] = useState<{ line: number; column: number } | null>(null);
  const [asked, setAsked] = useState({ run: 0, save: 0 });
  const initial = useMemo(() => start.script_content, [opened]);
  const saved = useMemo(() => (detail ? definitionOf(detail) : start), [detail, start]);
  const changed = !same(definition, saved);
  useEffect(() => {
    setDetail(opened);
    setDefinition(start);
  }, [opened]);
  useEffect(() => {
    leaving.question = changed ? 'What you changed is not saved. Leave it?' : null;
    return () => { leaving.question = null; };
  }, [changed]);
  const set = (part: Partial<Definition>): void => setDefinition((before) => ({ ...before, ...part }));
  const failed = (error: api.ServiceError | null): void =>
    setMarks(error ? { diagnostics: placesOf(error), hint: error.details.hint } : { diagnostics: [] });
  const goTo = (line: number, column: number): void => setPlace({ line, column });
  const name = detail?.language_title;
  const own = detail?.type !== 'predefined';
  const kept = (made: FunctionDetail): void => {
    setDetail(made);
    setDefinition(definitionOf(made));
    leaving.question = null;
    if (!name) go('functions', made.language_title);
  };
  return (
    <>
      <Title language={language} detail={detail} changed={changed} />
      <div class="workbench">
        <section aria-label="Script" class="script">
          {own ? (
            <EditorField language={language} initial={initial} marks={marks} place={place}
              changed={(text) => set({ script_content: text })}
              run={() => { setPanel('Run'); setAsked((before) => ({ ...before, run: before.run + 1 })); }}
              save={() => setAsked((before) => ({ ...before, save: before.save + 1 }))} />
          ) : <p class="empty">{detail?.description} The script of a sample stays with the service; it can be run here.</p>}
          {own && <p class="quiet">Ctrl-Enter runs, Ctrl-S saves. Escape, then Tab leaves the editor.</p>}
          {own && <SavePanel language={language} detail={detail} definition={body(language, definition)} changed={changed || !detail}
            asked={asked.save} saved={kept} failed={failed} reload={reload} goTo={goTo} />}
        </section>
        <SidePanel language={language} detail={detail} definition={definition} set={set} panel={panel} show={setPanel}
          asked={asked.run} failed={failed} goTo={goTo} />
      </div>
    </>
  );
}

function Title({ language, detail, changed }: { language: string; detail: FunctionDetail | null; changed: boolean }): JSX.Element {
  const name = detail?.language_title;
  const own = detail?.type === 'dynamic';
  const remove = async (): Promise<void> => {
    await api.client.deleteFunction(name!);
    leaving.question = null;
    go('functions');
  };
  return (
    <div class="title">
      <h1 tabIndex={-1}>{name ?? `New ${isLanguage(language) ? LABELS[language] : language} function`}</h1>
      {own && <span class="badge">version {detail.version}{detail.version === detail.newest ? '' : ` of ${detail.newest}`}</span>}
      {changed && <span class="badge warn">not saved</span>}
      {own && (
        <nav class="actions" aria-label="This function">
          <a class="button" href={href('functions', detail.language_title, 'versions')}>Versions</a>
          <Confirm label="Delete" question={`Delete ${name} with all versions?`} act={remove} />
        </nav>
      )}
    </div>
  );
}
