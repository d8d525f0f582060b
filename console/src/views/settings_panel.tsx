// Everything of a version that is not its script: words, schemas, defaults, packages.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import * as api from '../api';
import { declares } from '../definition';
import { bytes } from '../format';
import { Show, useLoad } from '../load';
import { JsonInput, isParams } from '../schema_form';
import type { Definition, FunctionDetail, Json, Schema } from '../types';

interface Panel {
  language: string;
  detail: FunctionDetail | null;
  definition: Definition;
  set: (part: Partial<Definition>) => void;
}

const lines = (text: string): string[] => text.split('\n').map((line) => line.trim()).filter(Boolean);

export function SettingsPanel({ language, detail, definition, set }: Panel): JSX.Element {
  const { schema, defaults } = definition;
  const [tags, setTags] = useState(definition.tags.join(', '));
  const [packages, setPackages] = useState(definition.packages.join('\n'));
  const own = declares(language, definition.script_content);
  const setSchema = (part: 'params' | 'result') => (value: Json | undefined): void => {
    const { [part]: _, ...rest } = schema;
    set({ schema: isParams(value) ? { ...rest, [part]: value as Schema } : rest });
  };
  const setDefault = (name: string, value: Json | undefined): void => {
    const { [name]: _, ...rest } = defaults;
    set({ defaults: value === undefined ? rest : { ...rest, [name]: value } });
  };
  return (
    <div class="form">
      <label class="field"><span class="label">Description</span>
        <textarea rows={2} value={definition.description} onInput={(event) => set({ description: event.currentTarget.value })} /></label>
      <label class="field"><span class="label">Tags</span>
        <input type="text" value={tags} onInput={(event) => {
          setTags(event.currentTarget.value);
          set({ tags: event.currentTarget.value.split(',').map((tag) => tag.trim()).filter(Boolean) });
        }} />
        <span class="quiet">separated by commas</span></label>
      <label class="field"><span class="label">Schema of the params</span>
        <JsonInput rows={8} objects value={schema.params as Json | undefined} change={setSchema('params')} />
        <span class="quiet">JSON Schema: params that break it are refused, and the form is made of it</span></label>
      <label class="field"><span class="label">Schema of the result</span>
        <JsonInput objects value={schema.result as Json | undefined} change={setSchema('result')} /></label>
      <label class="tick"><input type="checkbox" checked={definition.enforce_result} onChange={(event) => set({ enforce_result: event.currentTarget.checked })} /> refuse results that break it</label>
      <Whole label="Timeout, in milliseconds" value={defaults.timeout_ms} change={(value) => setDefault('timeout_ms', value)} />
      <Whole label="Results are kept, in seconds" value={defaults.cache_ttl} change={(value) => setDefault('cache_ttl', value)} />
      <label class="field"><span class="label">Processes</span>
        <select value={defaults.isolation ?? ''} onChange={(event) => setDefault('isolation', event.currentTarget.value || undefined)}>
          <option value="">as the service has it</option>
          <option value="session">runs of a session share warm ones</option>
          <option value="execution">each run has a new one</option>
        </select></label>
      {own ? <p>The script declares its packages itself.</p> : language !== 'rust' && (
        <label class="field"><span class="label">Packages</span>
          <textarea class="code" rows={3} placeholder={language === 'python' ? 'pandas>=2' : 'zod@^3'} value={packages} onInput={(event) => {
            setPackages(event.currentTarget.value);
            set({ packages: lines(event.currentTarget.value) });
          }} />
          <span class="quiet">one in a line; installed when a version is saved or run</span></label>
      )}
      {detail?.environment && <Installed digest={detail.environment} />}
    </div>
  );
}

function Whole({ label, value, change }: { label: string; value: number | undefined; change: (value: number | undefined) => void }): JSX.Element {
  return (
    <label class="field"><span class="label">{label}</span>
      <input type="number" min={0} step={1} value={value ?? ''} onInput={(event) => change(event.currentTarget.value === '' ? undefined : event.currentTarget.valueAsNumber)} /></label>
  );
}

function Installed({ digest }: { digest: string }): JSX.Element {
  const loaded = useLoad(() => api.client.environment(digest), [digest]);
  return (
    <Show of={loaded}>
      {(environment) => (
        <table>
          <caption>Installed packages: {bytes(environment.bytes)}, {environment.state}</caption>
          <thead><tr><th scope="col">Package</th><th scope="col">Version</th><th scope="col">Size</th><th scope="col">Licence</th></tr></thead>
          <tbody>
            {environment.packages.map((each) => (
              <tr><th scope="row">{each.name}</th><td>{each.version}</td><td>{each.bytes === null ? '' : bytes(each.bytes)}</td><td>{each.licence ?? ''}</td></tr>
            ))}
          </tbody>
        </table>
      )}
    </Show>
  );
}
