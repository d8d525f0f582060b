// The versions of a function: what differs, which one its callers get, and the way back.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import * as api from '../api';
import { Difference } from '../editor_field';
import { moment, percent, pretty, same } from '../format';
import { Confirm, Failure, Show, known, useLoad } from '../load';
import { href } from '../router';
import type { Alias, FunctionDetail, Version } from '../types';

interface All {
  versions: Version[];
  aliases: Alias[];
  more: string | null;
}

export function Versions({ name }: { name: string }): JSX.Element {
  const loaded = useLoad(async (): Promise<All> => {
    const [{ versions, cursor }, { aliases }] = await Promise.all([api.client.versions(name), api.client.aliases(name)]);
    return { versions, aliases, more: cursor };
  }, [name]);
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>{name}: versions</h1>
        <nav class="actions" aria-label="This function"><a class="button" href={href('functions', name)}>Edit and run</a></nav>
      </div>
      <Show of={loaded}>{(all) => <Loaded name={name} all={all} again={loaded.again} />}</Show>
    </>
  );
}

function Loaded({ name, all, again }: { name: string; all: All; again: () => void }): JSX.Element {
  const [error, setError] = useState<api.ServiceError | null>(null);
  const [more, setMore] = useState<Version[]>([]);
  const [cursor, setCursor] = useState(all.more);
  const versions = [...all.versions, ...more];
  const act = (work: Promise<unknown>): void =>
    void work.then(() => { setError(null); again(); }, (failure: unknown) => setError(known(failure)));
  const next = (): void => void api.client.versions(name, { cursor: cursor ?? undefined }).then(
    (page) => { setMore([...more, ...page.versions]); setCursor(page.cursor); }, (failure: unknown) => setError(known(failure)));
  return (
    <>
      {error && <Failure error={error} />}
      <Aliases name={name} aliases={all.aliases} versions={versions} act={act} />
      <table>
        <caption>Versions</caption>
        <thead><tr><th scope="col">Version</th><th scope="col">Made</th><th scope="col">Aliases</th><th scope="col">Script</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>
          {versions.map((each) => (
            <tr>
              <th scope="row"><a href={href('functions', `${name}@${each.version}`)}>{each.version}</a></th>
              <td>{moment(each.created_at)}</td>
              <td>{each.aliases.map((alias) => <span class="badge">{alias}</span>)}</td>
              <td><code>{each.script_hash.slice(0, 10)}</code></td>
              <td><div class="row">
                {!each.aliases.includes('live') && (
                  <button type="button" class="plain" onClick={() => act(api.putAlias(name, { alias: 'live', version: each.version }))}>Make live</button>
                )}
                {versions.length > 1 && each.aliases.length === 0 && (
                  <Confirm label="Delete" question={`Delete version ${each.version}?`} act={() => api.client.deleteFunction(`${name}@${each.version}`).then(again)} />
                )}
              </div></td>
            </tr>
          ))}
        </tbody>
      </table>
      {cursor && <button type="button" onClick={next}>More</button>}
      {versions.length > 1 ? <Compare name={name} versions={versions} /> : <p class="empty">There is one version. Save a change to compare it with.</p>}
    </>
  );
}

interface AliasProps {
  name: string;
  aliases: Alias[];
  versions: Version[];
  act: (work: Promise<unknown>) => void;
}

function Aliases({ name, aliases, versions, act }: AliasProps): JSX.Element {
  return (
    <section aria-label="Aliases">
      <h2>Aliases</h2>
      {aliases.length === 0 && <p class="empty">Callers of <code>{name}</code> get the newest version. Make one <code>live</code> to decide that yourself.</p>}
      <ul class="plain-list">
        {aliases.map((alias) => (
          <li class="row">
            <span><strong>{alias.alias}</strong> → version {alias.version}</span>
            {alias.canary && <span class="badge warn">{percent(alias.canary.weight)} get version {alias.canary.version}</span>}
            {alias.canary && (
              <>
                <button type="button" class="plain" onClick={() => act(api.putAlias(name, { alias: alias.alias, version: alias.version }))}>Stop the canary</button>
                <button type="button" class="plain" onClick={() => act(api.putAlias(name, { alias: alias.alias, version: alias.canary!.version }))}>Give it to all</button>
              </>
            )}
            {alias.version > 1 && !alias.canary && versions.some(({ version }) => version === alias.version - 1) && (
              <button type="button" class="plain" onClick={() => act(api.putAlias(name, { alias: alias.alias, version: alias.version - 1 }))}>Roll back to {alias.version - 1}</button>
            )}
            <button type="button" class="plain" onClick={() => act(api.client.deleteAlias(name, alias.alias))}>Remove</button>
          </li>
        ))}
      </ul>
      <SetAlias name={name} versions={versions} act={act} />
    </section>
  );
}

function SetAlias({ name, versions, act }: Omit<AliasProps, 'aliases'>): JSX.Element {
  const [alias, setAlias] = useState('live');
  const [version, setVersion] = useState(versions[0]?.version ?? 1);
  const [canary, setCanary] = useState(0);
  const [share, setShare] = useState(10);
  const set = (): void => act(api.putAlias(name, { alias, version, ...(canary ? { canary: { version: canary, weight: share / 100 } } : {}) }));
  return (
    <details>
      <summary>Set an alias</summary>
      <form class="filters" onSubmit={(event) => { event.preventDefault(); set(); }}>
        <label class="field"><span class="label">Alias</span>
          <input type="text" required pattern="[a-z][a-z0-9\-]{0,31}" value={alias} onInput={(event) => setAlias(event.currentTarget.value)} /></label>
        <Choice label="Version" versions={versions} value={version} change={setVersion} />
        <Choice label="Canary" versions={versions} value={canary} change={setCanary} none="none" />
        {canary > 0 && (
          <label class="field"><span class="label">Share of the canary, in %</span>
            <input type="number" min={0} max={100} value={share} onInput={(event) => setShare(event.currentTarget.valueAsNumber || 0)} /></label>
        )}
        <button type="submit">Set</button>
      </form>
    </details>
  );
}

interface ChoiceProps {
  label: string;
  versions: Version[];
  value: number;
  change: (version: number) => void;
  none?: string;
}

function Choice({ label, versions, value, change, none }: ChoiceProps): JSX.Element {
  return (
    <label class="field"><span class="label">{label}</span>
      <select value={value} onChange={(event) => change(Number(event.currentTarget.value))}>
        {none && <option value={0}>{none}</option>}
        {versions.map((each) => <option value={each.version}>{each.version}</option>)}
      </select></label>
  );
}

function Compare({ name, versions }: { name: string; versions: Version[] }): JSX.Element {
  const [older, setOlder] = useState(versions[1]!.version);
  const [newer, setNewer] = useState(versions[0]!.version);
  const both = useLoad(() => Promise.all([older, newer].map((each) => api.describeFunction(`${name}@${each}`))), [name, older, newer]);
  return (
    <section aria-label="Difference">
      <h2>Difference</h2>
      <div class="filters">
        <Choice label="Older" versions={versions} value={older} change={setOlder} />
        <Choice label="Newer" versions={versions} value={newer} change={setNewer} />
      </div>
      <Show of={both}>{([before, after]) => <Both before={before!} after={after!} />}</Show>
    </section>
  );
}

const PARTS = ['description', 'tags', 'schema', 'enforce_result', 'examples', 'defaults', 'packages'] as const;

function Both({ before, after }: { before: FunctionDetail; after: FunctionDetail }): JSX.Element {
  const changed = PARTS.filter((part) => !same(before[part], after[part]));
  return (
    <>
      <Difference language={after.language} before={before.script_content ?? ''} after={after.script_content ?? ''} />
      {before.script_content === after.script_content && <p class="quiet">The scripts are equal.</p>}
      {changed.map((part) => (
        <details>
          <summary>{part.replace('_', ' ')} differs</summary>
          <div class="sides"><pre class="code output">{pretty(before[part])}</pre><pre class="code output">{pretty(after[part])}</pre></div>
        </details>
      ))}
    </>
  );
}
