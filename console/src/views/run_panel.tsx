// Params as a form or as JSON, the button, and what came of it.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { run as start } from '../definition';
import { Copy, known } from '../load';
import { takeRepeat } from '../repeat';
import { type GoTo, type Run, Result } from '../result';
import { JsonInput, NO_PARAMS, SchemaForm, defaultsOf, formable } from '../schema_form';
import { KINDS, snippet } from '../snippets';
import type { Definition, Example, FunctionDetail, Params } from '../types';

interface Panel {
  language: string;
  detail: FunctionDetail | null;
  definition: Definition;
  /** Counts the wishes of the keyboard. */
  asked: number;
  failed: (error: api.ServiceError | null) => void;
  goTo: GoTo;
  keep: (example: Example) => void;
}

export function RunPanel({ language, detail, definition, asked, failed, goTo, keep }: Panel): JSX.Element {
  const schema = definition.schema.params;
  const [repeat] = useState(() => takeRepeat(detail?.language_title));
  const [params, setParams] = useState<Params>(() => repeat ?? definition.examples[0]?.params ?? defaultsOf(schema));
  const [asForm, setAsForm] = useState(true);
  const [fresh, setFresh] = useState(false);
  const [result, setResult] = useState<Run>({ state: 'idle' });
  const layers = useLayers(language);
  const run = async (): Promise<void> => {
    if (result.state === 'busy') return;
    setResult({ state: 'busy' });
    failed(null);
    try {
      const { body, httpRequestId } = await start(language, definition, detail, params, fresh);
      setResult({ state: 'done', outcome: body, httpRequestId, cold: null });
      if (!body.cached) void api.wasCold(httpRequestId).then((cold) => setResult((now) => (now.state === 'done' && now.httpRequestId === httpRequestId ? { ...now, cold } : now)));
    } catch (failure) {
      setResult({ state: 'failed', error: known(failure) });
      failed(known(failure));
    }
  };
  useEffect(() => {
    if (asked > 0) void run();
  }, [asked]);
  const keys = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void run();
    }
  };
  const form = asForm && formable(schema);
  const ref = detail?.language_title ?? `${language}-NAME`;
  return (
    <form onSubmit={(event) => { event.preventDefault(); void run(); }} onKeyDown={keys}>
      <div class="row">
        <h2>Params</h2>
        {formable(schema) && (
          <button type="button" class="plain" onClick={() => setAsForm(!asForm)}>{asForm ? 'as JSON' : 'as a form'}</button>
        )}
      </div>
      {repeat && JSON.stringify(repeat).includes('***') && <p class="notice">The log hides some values as ***. Put the real ones in their place.</p>}
      {form
        ? <SchemaForm schema={schema} value={params} change={setParams} />
        : <JsonInput label="Params as JSON" rows={6} objects blank={NO_PARAMS} value={params} change={(value) => setParams(value as Params)} />}
      <div class="row">
        <button type="submit" class="primary" disabled={result.state === 'busy'}>Run</button>
        <label class="tick"><input type="checkbox" checked={fresh} onChange={(event) => setFresh(event.currentTarget.checked)} /> not from the cache</label>
      </div>
      <Result run={result} goTo={goTo} layers={layers} />
      {result.state === 'done' && detail?.type !== 'predefined' && (
        <button type="button" class="plain" onClick={() => keep({ name: `example ${definition.examples.length + 1}`, params, result: result.outcome.result })}>
          Keep as an example
        </button>
      )}
      <p class="row"><span class="quiet">Copy this call as</span> {KINDS.map((kind) => <Copy label={kind} text={() => snippet(kind, ref, params)} />)}</p>
    </form>
  );
}

function useLayers(language: string): string[] {
  const [layers, setLayers] = useState<string[]>([]);
  useEffect(() => void api.isolation(language).then(setLayers, () => setLayers([])), [language]);
  return layers;
}
