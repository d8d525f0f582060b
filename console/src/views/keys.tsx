// API keys: made, copied once, revoked.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import * as api from '../api';
import { moment } from '../format';
import { Confirm, Copy, Failure, Show, known, useLoad } from '../load';
import { LANGUAGES } from '../templates';
import type { KeyAnswer } from '../types';

const SCOPES = ['execute:all', ...LANGUAGES.map((language) => `execute:${language}`), 'read:functions', 'write:functions'];

export function Keys(): JSX.Element {
  const loaded = useLoad(() => api.client.keys(), []);
  const [made, setMade] = useState<KeyAnswer | null>(null);
  return (
    <>
      <h1 tabIndex={-1}>Keys</h1>
      <p>A key is a token for a program: it can be revoked, and bound to single functions.</p>
      {made && (
        <div class="notice" role="status">
          <strong>{made.name}</strong>
          <p>This is the only time that the key is shown. Copy it now.</p>
          <p class="row"><code class="secret">{made.key}</code> <Copy label="Copy the key" text={() => made.key} /> <button type="button" onClick={() => setMade(null)}>I have it</button></p>
        </div>
      )}
      <NewKey made={(key) => { setMade(key); loaded.again(); }} />
      <Show of={loaded} empty={({ keys }) => keys.length === 0 && <p class="empty">There are no keys yet.</p>}>
        {({ keys }) => (
          <table>
            <caption>Keys</caption>
            <thead><tr><th scope="col">Name</th><th scope="col">Rights</th><th scope="col">Functions</th><th scope="col">Last used</th><th scope="col">Expires</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
            <tbody>
              {keys.map((key) => (
                <tr>
                  <th scope="row">{key.name}</th>
                  <td>{key.scope}</td>
                  <td>{key.functions?.join(', ') ?? 'all'}</td>
                  <td>{key.last_used_at ? moment(key.last_used_at) : 'never'}</td>
                  <td>{moment(key.expires_at)}</td>
                  <td><Confirm label="Revoke" question={`Revoke ${key.name}?`} act={() => api.client.deleteKey(key.key_id).then(loaded.again)} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Show>
    </>
  );
}

function NewKey({ made }: { made: (key: KeyAnswer) => void }): JSX.Element {
  const [name, setName] = useState('');
  const [scope, setScope] = useState<string[]>(['execute:all']);
  const [functions, setFunctions] = useState('');
  const [until, setUntil] = useState('');
  const [error, setError] = useState<api.ServiceError | null>(null);
  const make = async (): Promise<void> => {
    const refs = functions.split(/[\s,]+/).filter(Boolean);
    const asked: Parameters<typeof api.client.createKey>[0] = { name, scope: scope.join(' ') };
    if (refs.length) asked.functions = refs;
    if (until) asked.expires_at = new Date(`${until}T23:59:59`).toISOString();
    try {
      made(await api.client.createKey(asked));
      setError(null);
      setName('');
    } catch (failure) {
      setError(known(failure));
    }
  };
  return (
    <details>
      <summary>New key</summary>
      <form class="form" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <label class="field"><span class="label">Name</span>
          <input type="text" required maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} /></label>
        <fieldset>
          <legend>Rights</legend>
          {SCOPES.map((each) => (
            <label class="tick"><input type="checkbox" checked={scope.includes(each)}
              onChange={(event) => setScope(event.currentTarget.checked ? [...scope, each] : scope.filter((one) => one !== each))} /> {each}</label>
          ))}
        </fieldset>
        <label class="field"><span class="label">Only these functions</span>
          <input type="text" placeholder="python-price, nodejs-mail@live" value={functions} onInput={(event) => setFunctions(event.currentTarget.value)} />
          <span class="quiet">left empty: all of them</span></label>
        <label class="field"><span class="label">Last day</span>
          <input type="date" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
          <span class="quiet">left empty: as long as the service allows</span></label>
        {error && <Failure error={error} />}
        <button type="submit" class="primary" disabled={scope.length === 0}>Make the key</button>
      </form>
    </details>
  );
}
