// The last executions of the caller and the sessions behind them.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { duration, moment, pretty } from '../format';
import { Confirm, Failure, Show, known, useLoad } from '../load';
import { go, href } from '../router';
import { repeatLater } from '../repeat';
import { Highlighted } from '../result';
import type { Execution, Session } from '../types';

export function Executions({ asked }: { asked: URLSearchParams }): JSX.Element {
  const [name, setName] = useState(asked.get('function') ?? '');
  const [typed, setTyped] = useState(name);
  const [status, setStatus] = useState('');
  const list = useLoad(() => api.listExecutions({ function: name, status }), [name, status]);
  return (
    <>
      <div class="title"><h1 tabIndex={-1}>Executions</h1><button type="button" onClick={list.again}>Refresh</button></div>
      <form class="filters" role="search" onSubmit={(event) => { event.preventDefault(); setName(typed.trim()); }}>
        <label class="field"><span class="label">Function</span>
          <input type="search" placeholder="python-price or python-price@2" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} /></label>
        <label class="field"><span class="label">Outcome</span>
          <select value={status} onChange={(event) => setStatus(event.currentTarget.value)}>
            <option value="">all</option><option value="ok">ok</option><option value="error">error</option>
          </select></label>
        <button type="submit">Search</button>
      </form>
      <Show of={list} empty={({ executions, cursor }) => executions.length === 0 && !cursor && (
        <p class="empty">Nothing has run{name || status ? ' that fits this search' : ' yet'}. A run is here about a second after its answer.</p>
      )}>
        {(page) => <Rows key={list.value?.executions[0]?.http_request_id} page={page} asked={{ function: name, status }} />}
      </Show>
    </>
  );
}

interface RowsProps {
  page: api.ExecutionList;
  asked: Record<string, string>;
}

function Rows({ page, asked }: RowsProps): JSX.Element {
  const [rows, setRows] = useState(page.executions);
  const [cursor, setCursor] = useState(page.cursor);
  const [error, setError] = useState<api.ServiceError | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const next = (): void => void api.listExecutions({ ...asked, cursor: cursor ?? undefined }).then(
    (more) => { setRows([...rows, ...more.executions]); setCursor(more.cursor); }, (failure: unknown) => setError(known(failure)));
  return (
    <>
      <table class="executions">
        <caption class="hidden">Executions, the newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">Function</th><th scope="col">Outcome</th><th scope="col">Time</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>
          {rows.map((each) => (
            <>
              <tr>
                <td>{moment(each.created_at)}</td>
                <td>{each.language_title ? <a href={href('functions', each.language_title)}>{each.language_title}{each.version ? `@${each.version}` : ''}</a> : ''}</td>
                <td><span class={`badge ${each.code ? 'bad' : 'good'}`}>{each.code ?? 'ok'}</span>{each.cached && <span class="badge">cached</span>}</td>
                <td>{duration(each.duration_ms)}</td>
                <td><button type="button" class="plain" aria-expanded={open === each.http_request_id}
                  onClick={() => setOpen(open === each.http_request_id ? null : each.http_request_id)}>Details</button></td>
              </tr>
              {open === each.http_request_id && <tr><td colSpan={5}><Details one={each} /></td></tr>}
            </>
          ))}
        </tbody>
      </table>
      {error && <Failure error={error} />}
      {cursor && <button type="button" onClick={next}>More</button>}
    </>
  );
}

function Details({ one }: { one: Execution }): JSX.Element {
  const again = (): void => {
    repeatLater(one.language_title!, one.params ?? {});
    go('functions', one.language_title!);
  };
  return (
    <div class="details">
      <h2>Params</h2>
      <Highlighted value={one.params} />
      {one.error ? (
        <div class="notice bad">
          <strong>{one.error.message}</strong>
          {one.error.details.hint && <p>{one.error.details.hint}</p>}
          <pre class="code output">{pretty(one.error.details)}</pre>
        </div>
      ) : <><h2>Result</h2><Highlighted value={one.result} /></>}
      <p class="row">
        {one.language_title && <button type="button" onClick={again}>Repeat</button>}
        <span class="quiet">request <code>{one.http_request_id}</code></span>
      </p>
      {one.request_id && <SessionOf id={one.request_id} />}
    </div>
  );
}

function SessionOf({ id }: { id: string }): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Session <code>{id}</code></summary>
      {open && <SessionState id={id} />}
    </details>
  );
}

function SessionState({ id }: { id: string }): JSX.Element {
  const loaded = useLoad(() => api.client.session(id), [id]);
  const [session, setSession] = useState<Session | null>(null);
  useEffect(() => setSession(loaded.value), [loaded.value]);
  return (
    <Show of={loaded}>
      {() => session && (
        <p>
          <span class={`badge ${session.status === 'active' ? 'good' : ''}`}>{session.status}</span>{' '}
          {session.execution_count} executions, begun {moment(session.created_at)}, {session.status === 'active' ? 'expires' : 'expired'} {moment(session.expires_at)}{' '}
          {session.status === 'active' && <Confirm label="End it" question="End this session?" act={async () => { await api.client.endSession(id); setSession({ ...session, status: 'closed' }); }} />}
        </p>
      )}
    </Show>
  );
}
