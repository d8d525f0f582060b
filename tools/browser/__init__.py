"""A real Chromium, driven by the DevTools protocol: for the tests of the console, and for its pictures."""
