import { render } from 'preact';
import { App } from './app';
import * as session from './session';
import { apply } from './theme';

session.begin();
apply();
// A link with a token, opened in a tab that has the page already, changes the fragment alone.
addEventListener('hashchange', () => session.begin());
const place = document.getElementById('app')!;
place.replaceChildren();
render(<App />, place);
