// Makes a version of what is in the editor, after its examples have passed if the user wants that.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from '../api';
import { known } from '../load';
import { type GoTo, RunFailure } from '../result';
import type { Definition, FunctionDetail } from '../types';

interface Save {
  language: string;
  detail: FunctionDetail | null;
  /** As it is sent. */
  definition: Partial<Definition>;
  changed: boolean;
  /** Counts the wishes of the keyboard. */
  asked: number;
  saved: (made: FunctionDetail) => void;
  failed: (error: api.ServiceError | null) => void;
  reload: () => void;
  goTo: GoTo;
}

export function SavePanel({ language, detail, definition, changed, asked, saved, failed, reload, goTo }: Save): JSX.Element {
  const [title, setTitle] = useState('');
  const [verify, setVerify] = useState(true);
  const [error, setError] = useState<api.ServiceError | null>(null);
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    if (!changed || busy) return;
    setBusy(true);
    setError(null);
    setSaid('Saving…');
    try {
      if (!detail && title === '') return setSaid('It needs a name first.');
      if (!detail && (await exists(`${language}-${title}`))) return setSaid('There is a function of this name already.');
      const made = await api.putFunction(detail?.language_title ?? `${language}-${title}`, definition, detail?.newest ?? null, verify);
      setSaid(`Saved as version ${made.version}.`);
      failed(null);
      saved(made);
    } catch (failure) {
      setSaid('');
      setError(known(failure));
      failed(known(failure));
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    if (asked > 0) void save();
  }, [asked]);
  return (
    <form class="save" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      {!detail && (
        <label class="field inline"><span class="label">{language}-</span>
          <input type="text" aria-label="Name" required maxLength={64} pattern="[A-Za-z0-9][A-Za-z0-9._\-]*" placeholder="name" value={title}
            onInput={(event) => setTitle(event.currentTarget.value)} /></label>
      )}
      <label class="tick"><input type="checkbox" checked={verify} onChange={(event) => setVerify(event.currentTarget.checked)} /> Run the examples first</label>
      <button type="submit" disabled={!changed || busy}>{detail ? 'Save as a new version' : 'Save'}</button>
      <span role="status" class="quiet">{said}</span>
      {error && <RunFailure error={error} goTo={goTo} again={error.status === 412 ? reload : undefined} />}
    </form>
  );
}

async function exists(name: string): Promise<boolean> {
  try {
    return (await api.describeFunction(name)).type === 'dynamic';
  } catch (failure) {
    if (known(failure).status === 404) return false;
    throw failure;
  }
}
