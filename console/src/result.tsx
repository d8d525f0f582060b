// What a run came to. All of it is text: nothing that a script printed or returned becomes markup.

import type { JSX } from 'preact';
import type { ServiceError } from './api';
import { placesOf } from './definition';
import { duration, pretty } from './format';
import { Failure } from './load';
import type { Json, Outcome } from './types';

export type GoTo = (line: number, column: number) => void;

export type Run =
  | { state: 'idle' | 'busy' }
  | { state: 'done'; outcome: Outcome; httpRequestId: string; cold: boolean | null }
  | { state: 'failed'; error: ServiceError };

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON with its parts in colours, as nodes of text. */
export function Highlighted({ value }: { value: Json }): JSX.Element {
  const text = pretty(value);
  if (text.length > 100_000) return <pre class="code output">{text}</pre>;
  const nodes: (JSX.Element | string)[] = [];
  let end = 0;
  for (const found of text.matchAll(TOKEN)) {
    nodes.push(text.slice(end, found.index));
    const [whole, string, colon] = found;
    nodes.push(<span class={string ? (colon ? 'json-name' : 'json-text') : 'json-value'}>{whole}</span>);
    end = found.index + whole.length;
  }
  return <pre class="code output">{nodes}{text.slice(end)}</pre>;
}

function Printed({ name, text }: { name: string; text: string | undefined }): JSX.Element | null {
  return text ? <><h3>{name}</h3><pre class="code output" data-stream={name}>{text}</pre></> : null;
}

const KINDS: Record<string, string> = {
  exception: 'The script raised an error',
  memory_limit: 'The script used more memory than it may',
  output_limit: 'The result is too large',
  process_limit: 'The script tried to start a process, or too many threads',
  result_not_json: 'JSON cannot represent the result',
  result_invalid: 'The result breaks the schema',
  crashed: 'The process of the script ended',
};

const TITLES: Record<string, string> = {
  TIMEOUT: 'The deadline passed', INITIALIZATION_ERROR: 'The script was refused', INVALID_PARAMS: 'The params break the schema',
};

function ScriptFailure({ error, goTo }: { error: ServiceError; goTo: GoTo }): JSX.Element {
  const { code, message, details } = error;
  const whole = details.type ? `${details.type}: ${message}` : message;
  return (
    <div class="notice bad" data-code={code} data-kind={details.kind ?? details.stage ?? ''}>
      <strong>{KINDS[details.kind ?? ''] ?? TITLES[code] ?? code}</strong>
      <p class="message">{whole}</p>
      {details.timeout_ms !== undefined && <p>It may take {duration(details.timeout_ms)}: the default timeout of the version is in its settings.</p>}
      {details.hint && <p class="hint"><strong>Hint:</strong> {details.hint}</p>}
      {placesOf(error).map(({ line, column, message: said }) => line !== null && (
        <p><button type="button" class="plain" onClick={() => goTo(line, column ?? 1)}>Line {line}, column {column ?? 1}</button> {said !== whole && said}</p>
      ))}
      {details.errors && <ul>{details.errors.map((each) => <li><code>{each.pointer || '/'}</code> {each.message}</li>)}</ul>}
      {details.differences && <Highlighted value={details.differences as Json} />}
      <Printed name="stdout" text={details.stdout} />
      <Printed name="stderr" text={details.stderr} />
      {details.stack_trace && <details><summary>Stack trace</summary><pre class="code output">{details.stack_trace}</pre></details>}
      <p class="quiet">{code}{details.kind ? ` · ${details.kind}` : ''} · {error.status} · request <code>{error.httpRequestId}</code></p>
    </div>
  );
}

/** What went wrong with a script, or with the call. `again`: a way on from the latter. */
export function RunFailure({ error, goTo, again }: { error: ServiceError; goTo: GoTo; again?: (() => void) | undefined }): JSX.Element {
  return OF_SCRIPTS.includes(error.code) ? <ScriptFailure error={error} goTo={goTo} /> : <Failure error={error} again={again} />;
}

const OF_SCRIPTS = ['INITIALIZATION_ERROR', 'RUNTIME_ERROR', 'TIMEOUT', 'INVALID_PARAMS'];

export function Result({ run, goTo, layers }: { run: Run; goTo: GoTo; layers: string[] }): JSX.Element {
  return (
    <section class="result" aria-label="Result" aria-live="polite" aria-busy={run.state === 'busy'} data-state={run.state}>
      {run.state === 'idle' && <p class="empty">Nothing has run yet. Ctrl-Enter runs what is in the editor.</p>}
      {run.state === 'busy' && <p class="loading">Running…</p>}
      {run.state === 'failed' && <RunFailure error={run.error} goTo={goTo} />}
      {run.state === 'done' && (
        <>
          <p class="badges">
            <span class="badge good">done</span>
            <span class="badge" title="Time of the script">{duration(run.outcome.execution_time)}</span>
            {run.outcome.cached && <span class="badge">cached</span>}
            {!run.outcome.cached && run.cold !== null && <span class="badge">{run.cold ? 'cold' : 'warm'}</span>}
            <span class="quiet">{run.outcome.language_title}{run.outcome.version ? `@${run.outcome.version}` : ''}</span>
          </p>
          <h3>Result</h3>
          <Highlighted value={run.outcome.result} />
          <Printed name="stdout" text={run.outcome.stdout} />
          <Printed name="stderr" text={run.outcome.stderr} />
        </>
      )}
      {layers.length > 0 && (run.state === 'done' || run.state === 'failed') && <p class="quiet">Confined by {layers.join(', ')}.</p>}
    </section>
  );
}
