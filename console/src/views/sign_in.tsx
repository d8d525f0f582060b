import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import * as session from '../session';

export function SignIn({ reason }: { reason: string }): JSX.Element {
  const [token, setToken] = useState('');
  return (
    <section class="narrow">
      <h1 tabIndex={-1}>Sign in</h1>
      {reason
        ? <p class="notice bad" role="alert">The token is not accepted any more: {reason}. Sign in again to go on where you were.</p>
        : <p>The console needs a token: a JWT or an API key of this service. <code>make run</code> prints a link that has one.</p>}
      <form onSubmit={(event) => { event.preventDefault(); session.signIn(token); }}>
        <label class="field"><span class="label">Token</span>
          <input type="password" autocomplete="off" required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <button type="submit" class="primary">Sign in</button>
      </form>
      <p class="quiet">It is kept in this tab alone, until the tab is closed. There are no cookies.</p>
    </section>
  );
}
