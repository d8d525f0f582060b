// Loading, and the states that are not success: each is a sentence and a way on.

import type { ComponentChildren, JSX } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { NO_ANSWER, ServiceError } from './api';
import * as session from './session';

export interface Loaded<T> {
  value: T | null;
  error: ServiceError | null;
  busy: boolean;
  again: () => void;
}

/** Load when `wanted` changes. An answer that is overtaken by a later call is dropped. */
export function useLoad<T>(load: () => Promise<T>, wanted: unknown[]): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'again'>>({ value: null, error: null, busy: true });
  const latest = useRef(0);
  const again = useCallback(() => {
    const mine = ++latest.current;
    setState((before) => ({ ...before, busy: true }));
    load().then(
      (value) => mine === latest.current && setState({ value, error: null, busy: false }),
      (error: unknown) => mine === latest.current && setState({ value: null, error: known(error), busy: false }),
    );
  }, wanted);
  useEffect(again, [again]);
  // What an expired token has refused is asked again with the next one.
  const refused = state.error?.status === 401;
  useEffect(() => (refused ? session.onChange(() => session.current() && again()) : undefined), [refused, again]);
  return { ...state, again };
}

/** An error of the API as it is; a fault of the page itself is not hidden. */
export function known(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  throw error;
}

const ADVICE: Record<string, string> = {
  [NO_ANSWER]: 'Nothing is lost. Try again when the connection is back.',
  FORBIDDEN: 'The token lacks the right for this. Sign in with one that has it.',
  NOT_FOUND: 'It does not exist, or it belongs to another user.',
  RATE_LIMITED: 'Too many requests in a minute.',
  STORE_UNAVAILABLE: 'A part of the service is away. Try again soon.',
  RUNTIME_UNAVAILABLE: 'No runtime of this language answers. Try again soon.',
  PRECONDITION_FAILED: 'Someone has saved a newer version since this page was opened. Reload to see it.',
};

export function Failure({ error, again }: { error: ServiceError; again?: () => void }): JSX.Element {
  const { code, message, details } = error;
  const wait = error.retryAfter ? ` Wait ${error.retryAfter} s.` : '';
  return (
    <div class="notice bad" role="alert">
      <strong>{code === NO_ANSWER && !navigator.onLine ? 'This device is offline.' : message}</strong>
      {ADVICE[code] && <p>{ADVICE[code] + wait}</p>}
      {details.errors && (
        <ul>{details.errors.map((each) => <li><code>{each.pointer || '/'}</code> {each.message}</li>)}</ul>
      )}
      <p class="quiet">{code}{error.status ? ` · ${error.status}` : ''} · request <code>{error.httpRequestId}</code></p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

export function Show<T>(
  { of, empty, children }: { of: Loaded<T>; empty?: (value: T) => ComponentChildren; children: (value: T) => ComponentChildren },
): JSX.Element {
  if (of.error) return <Failure error={of.error} again={of.again} />;
  if (of.value === null) return <p class="loading" role="status">Loading…</p>;
  const nothing = empty?.(of.value);
  return <div aria-busy={of.busy}>{nothing || children(of.value)}</div>;
}

/** A button for what cannot be undone: it asks in its place. */
export function Confirm(
  { label, question, act }: { label: string; question: string; act: () => Promise<unknown> },
): JSX.Element {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<ServiceError | null>(null);
  const yes = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asking) yes.current?.focus();
  }, [asking]);
  if (error) return <Failure error={error} again={() => setError(null)} />;
  if (!asking) return <button type="button" class="plain" onClick={() => setAsking(true)}>{label}</button>;
  const done = (): void => void act().catch((failure: unknown) => setError(known(failure)));
  return (
    <span class="confirm" role="group" aria-label={question}>
      {question} <button type="button" class="danger" ref={yes} onClick={done}>Yes</button>{' '}
      <button type="button" onClick={() => setAsking(false)}>No</button>
    </span>
  );
}

/** Copies a text, and says so. Without a clipboard (plain HTTP elsewhere) it shows the text, selected. */
export function Copy({ label, text }: { label: string; text: () => string }): JSX.Element {
  const [shown, setShown] = useState<string | null>(null);
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
    } catch {
      setShown(text());
    }
  };
  return (
    <>
      <button type="button" class="plain" onClick={() => void copy()}>{label}</button>
      <span role="status" class="quiet">{copied ? 'copied' : ''}</span>
      {shown !== null && (
        <textarea class="code" readOnly aria-label="Text to copy" rows={4} value={shown} onFocus={(event) => event.currentTarget.select()} />
      )}
    </>
  );
}
