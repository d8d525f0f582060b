// The address is a hash: `#/functions/python-price@2/versions?tab=run`. Nothing of it reaches the server.

import { useEffect, useState } from 'preact/hooks';

export interface Route {
  path: string[];
  query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  return { path: path.split('/').filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

export function href(...path: string[]): string {
  return `#/${path.map((part) => encodeURIComponent(part).replaceAll('%40', '@')).join('/')}`;
}

export function go(...path: string[]): void {
  location.hash = href(...path);
}

/** A view that would lose what the user wrote says so here; null: nothing would be lost. */
export const leaving: { question: string | null } = { question: null };

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    let shown = hash;
    const changed = (): void => {
      if (location.hash === shown) return;
      if (leaving.question !== null && !confirm(leaving.question)) {
        history.replaceState(null, '', shown || location.pathname);
        return;
      }
      leaving.question = null;
      shown = location.hash;
      setHash(shown);
    };
    const unload = (event: BeforeUnloadEvent): void => {
      if (leaving.question !== null) event.preventDefault();
    };
    addEventListener('hashchange', changed);
    addEventListener('beforeunload', unload);
    changed(); // it may have changed before anything listened
    return () => {
      removeEventListener('hashchange', changed);
      removeEventListener('beforeunload', unload);
    };
  }, []);
  return parse(hash);
}
