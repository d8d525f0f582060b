// The frame of the page: navigation, sign-in, and the view that the address names.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { BASE } from './api';
import { type Route, href, useRoute } from './router';
import * as session from './session';
import { type Theme, choose, theme } from './theme';
import { Executions } from './views/executions';
import { Functions } from './views/functions';
import { Keys } from './views/keys';
import { SignIn } from './views/sign_in';
import { UsageView } from './views/usage';
import { Versions } from './views/versions';
import { NewFunction, OneFunction } from './views/workbench';

const NAVIGATION = [['functions', 'Functions'], ['executions', 'Executions'], ['usage', 'Usage'], ['keys', 'Keys']] as const;

export function App(): JSX.Element {
  const route = useRoute();
  const [, changed] = useState(0);
  useEffect(() => session.onChange(() => changed((count) => count + 1)), []);
  const signedIn = session.current() !== '';
  // After an expiry the view stays, so that nothing unsaved is lost: it is hidden until there is a token again.
  const kept = signedIn || session.reason() !== '';
  return (
    <>
      <a class="skip" href="#main" onClick={toMain}>Skip to the content</a>
      <Header route={route} signedIn={signedIn} />
      <Offline />
      <main id="main" tabIndex={-1}>
        {!signedIn && <SignIn reason={session.reason()} />}
        {kept && <div hidden={!signedIn} key={session.owner()}><View route={route} /></div>}
      </main>
    </>
  );
}

/** The address is the router's, so the link moves the focus itself. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function View({ route }: { route: Route }): JSX.Element {
  const [room = 'functions', name, part] = route.path;
  const heading = useRef(true);
  useEffect(() => {
    document.title = `${name ?? NAVIGATION.find(([path]) => path === room)?.[1] ?? 'Console'} · Console`;
    // Not when the page opens: who reads it from the top begins there.
    if (!heading.current) document.querySelector<HTMLElement>('main h1')?.focus();
    heading.current = false;
  }, [room, name, part]);
  if (room === 'executions') return <Executions asked={route.query} />;
  if (room === 'usage') return <UsageView />;
  if (room === 'keys') return <Keys />;
  if (room === 'new') return <NewFunction key={name} language={name ?? 'python'} />;
  if (room === 'functions' && name && part === 'versions') return <Versions key={name} name={name} />;
  if (room === 'functions' && name) return <OneFunction key={name} reference={name} />;
  if (room === 'functions') return <Functions />;
  return <p class="empty">There is no such page. <a href={href('functions')}>To the functions</a></p>;
}

function Header({ route, signedIn }: { route: Route; signedIn: boolean }): JSX.Element {
  const room = route.path[0] === 'new' ? 'functions' : (route.path[0] ?? 'functions');
  return (
    <header>
      <a class="brand" href={href('functions')}><span aria-hidden="true">λ</span> Console</a>
      {signedIn && (
        <nav aria-label="Main">
          {NAVIGATION.map(([path, label]) => (
            <a href={href(path)} aria-current={room === path ? 'page' : undefined}>{label}</a>
          ))}
          <a href={`${BASE}/docs`}>Reference</a>
        </nav>
      )}
      <div class="account">
        <ThemeSwitch />
        {signedIn && <span class="quiet user" title="The user of the token">{session.claims().sub ?? 'API key'}</span>}
        {signedIn && <button type="button" class="plain" onClick={() => session.signOut()}>Sign out</button>}
      </div>
    </header>
  );
}

function ThemeSwitch(): JSX.Element {
  return (
    <select aria-label="Colours" value={theme()} onChange={(event) => choose(event.currentTarget.value as Theme)}>
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}

function Offline(): JSX.Element {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const look = (): void => setOnline(navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => {
      removeEventListener('online', look);
      removeEventListener('offline', look);
    };
  }, []);
  return <div role="status">{!online && <p class="notice">This device is offline. What is on the page stays; calls wait for the connection.</p>}</div>;
}
