// The token: in memory and in sessionStorage, never in a cookie, and in the address only until the page has read it.

const PLACE = 'lambda-microservice.token';
let token = '';
let why = '';
let user = '';
const listeners = new Set<() => void>();

export interface Claims {
  sub?: string;
  scope?: string | string[];
  exp?: number;
}

/** Take the token out of the fragment, else out of the storage of this tab. */
export function begin(): void {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (found) {
    history.replaceState(null, '', location.pathname + location.search);
    signIn(decodeURIComponent(found[1]!));
  } else if (!token) {
    token = sessionStorage.getItem(PLACE) ?? '';
    user = claims().sub ?? '';
  }
}

export function current(): string {
  return token;
}

export function signIn(text: string): void {
  token = text.trim().replace(/^Bearer\s+/i, '');
  why = '';
  user = claims().sub ?? '';
  sessionStorage.setItem(PLACE, token);
  tell();
}

/** Forget the token. `reason` is shown where a new one is asked for. */
export function signOut(reason = ''): void {
  token = '';
  why = reason;
  sessionStorage.removeItem(PLACE);
  tell();
}

export function reason(): string {
  return why;
}

/** The user of the last token, who may be signed out by now. Empty: an API key does not say. */
export function owner(): string {
  return user;
}

/** What a JWT says of itself, unverified: for display alone. An API key says nothing. */
export function claims(): Claims {
  try {
    const part = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0)))) as Claims;
  } catch {
    return {};
  }
}

export function scopes(): string[] {
  const { scope } = claims();
  return Array.isArray(scope) ? scope : (scope ?? '').split(' ').filter(Boolean);
}

export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener();
}
