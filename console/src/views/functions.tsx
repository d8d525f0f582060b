// The functions of the caller and the samples: search, and a new one from a template.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { moment } from '../format';
import { Failure, Show, known, useLoad } from '../load';
import { href } from '../router';
import { LABELS, LANGUAGES } from '../templates';
import type { FunctionSummary } from '../types';

/** Milliseconds without a key before a search begins. */
const PAUSE = 250;

export function Functions(): JSX.Element {
  const [query, setQuery] = useState('');
  const [tag, setTag] = useState('');
  const [language, setLanguage] = useState('');
  const settled = useSettled(`${query}\n${tag}`);
  const list = useLoad(() => {
    const [asked, tagged] = settled.split('\n');
    return api.listFunctions({ query: asked, tag: tagged, language });
  }, [settled, language]);
  const searched = settled.trim() !== '' || language !== '';
  return (
    <>
      <div class="title"><h1 tabIndex={-1}>Functions</h1><NewLinks /></div>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label class="field"><span class="label">Search</span>
          <input type="search" placeholder="name, description or tag" value={query} onInput={(event) => setQuery(event.currentTarget.value)} /></label>
        <label class="field"><span class="label">Tag</span>
          <input type="search" value={tag} onInput={(event) => setTag(event.currentTarget.value)} /></label>
        <label class="field"><span class="label">Language</span>
          <select value={language} onChange={(event) => setLanguage(event.currentTarget.value)}>
            <option value="">all</option>
            {LANGUAGES.map((each) => <option value={each}>{LABELS[each]}</option>)}
          </select></label>
      </form>
      <Show of={list} empty={({ functions }) => functions.length === 0 && <Nothing searched={searched} />}>
        {(first) => <List key={settled + language} first={first} query={settled} language={language} />}
      </Show>
    </>
  );
}

function NewLinks(): JSX.Element {
  return (
    <nav class="actions" aria-label="New function">
      <span class="quiet">New:</span>
      {LANGUAGES.map((each) => <a class="button" href={href('new', each)}>{LABELS[each]}</a>)}
    </nav>
  );
}

function Nothing({ searched }: { searched: boolean }): JSX.Element {
  return <p class="empty">{searched ? 'No function fits this search.' : 'There is no function yet. Choose a language above: the template runs as it is.'}</p>;
}

function List({ first, query, language }: { first: api.FunctionList; query: string; language: string }): JSX.Element {
  const [more, setMore] = useState<FunctionSummary[]>([]);
  const [cursor, setCursor] = useState(first.cursor);
  const [error, setError] = useState<api.ServiceError | null>(null);
  const next = async (): Promise<void> => {
    const [asked, tag] = query.split('\n');
    try {
      const page = await api.listFunctions({ query: asked, tag, language, cursor: cursor ?? undefined });
      setMore([...more, ...page.functions]);
      setCursor(page.cursor);
    } catch (failure) {
      setError(known(failure));
    }
  };
  return (
    <>
      <ul class="cards">{[...first.functions, ...more].map((each) => <Card one={each} />)}</ul>
      {error && <Failure error={error} />}
      {cursor && <button type="button" onClick={() => void next()}>More</button>}
    </>
  );
}

function Card({ one }: { one: FunctionSummary }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <li>
      <a class="name" href={href('functions', one.language_title)}>{one.language_title}</a>
      {one.type === 'predefined' && <span class="badge">sample</span>}
      <p>{one.description || <span class="quiet">no description</span>}</p>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Tags, versions and aliases</summary>
        {open && <More one={one} />}
      </details>
      <p class="quiet">changed {moment(one.updated_at)}</p>
    </li>
  );
}

function More({ one }: { one: FunctionSummary }): JSX.Element {
  const own = one.type === 'dynamic';
  const detail = useLoad(async () => ({
    detail: await api.describeFunction(one.language_title),
    aliases: own ? (await api.client.aliases(one.language_title)).aliases : [],
  }), [one.language_title]);
  return (
    <Show of={detail}>
      {({ detail: { tags, newest }, aliases }) => (
        <p>
          {tags.length ? tags.map((tag) => <span class="badge">{tag}</span>) : <span class="quiet">no tags</span>}{' '}
          {own && <a href={href('functions', one.language_title, 'versions')}>{newest === 1 ? '1 version' : `newest version ${newest}`}</a>}{' '}
          {aliases.map(({ alias, version, canary }) => <span class="badge">{alias} → {version}{canary ? ` / ${canary.version}` : ''}</span>)}
        </p>
      )}
    </Show>
  );
}

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
