// The client in front of the whole service: `URL` is its address, `TOKEN` and `STALE_TOKEN` are tokens.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as library from 'lambda-microservice-client';

const { URL: url, TOKEN: token, STALE_TOKEN: stale } = process.env;
const client = new library.Client({ url, token });
const SQUARE = 'import time\n\ndef handle(params):\n    time.sleep(params.get("s", 0))\n    return params["n"] ** 2\n';

before(async () => {
  const made = await client.putFunction('python-square', { script_content: SQUARE });
  assert.deepEqual([made.version, made.newest], [1, 1]);
});

test('a function is run by name, from the cache, and anew', async () => {
  const first = await client.run('python-square', { n: 3 });
  assert.deepEqual([first.result, first.version, first.cached], [9, 1, false]);
  assert.equal((await client.run('python-square@1', { n: 3 })).cached, true);
  assert.equal((await client.run('python-square', { n: 3 }, { cache: 'no-cache' })).cached, false);
  assert.equal((await client.run('python-square', { n: 3 }, { cache: 'max-age=60' })).result, 9);
});

test('a map keeps the order', async () => {
  const numbers = Array.from({ length: 300 }, (_, n) => n);
  const items = numbers.map((n) => ({ n, s: n % 7 ? 0 : 0.02 }));
  const outcomes = await client.map('python-square', items, { concurrency: 16, keys: ({ n }) => `map-${n}` });
  assert.deepEqual(outcomes.map(({ result }) => result), numbers.map((n) => n ** 2));
});

test('a map may return errors in their places', async () => {
  const [good, bad, last] = await client.map('python-square', [{ n: 1 }, { m: 1 }, { n: 2 }], { errors: 'return' });
  assert.deepEqual([good.result, last.result], [1, 4]);
  assert.ok(bad instanceof library.ScriptFailed);
  await assert.rejects(client.map('python-square', [{ n: 1 }, { m: 1 }]), library.ScriptFailed);
});

test('an error of a script has its kind, line and output', async () => {
  const script = 'def handle(params):\n    print("so far")\n    return 1 / 0\n';
  await client.putFunction('python-bad', { script_content: script });
  await assert.rejects(client.run('python-bad'), (error) => {
    assert.ok(error instanceof library.ScriptFailed);
    assert.deepEqual([error.name, error.code, error.status], ['ScriptFailed', 'RUNTIME_ERROR', 500]);
    assert.deepEqual([error.kind, error.line, error.details.type], ['exception', 3, 'ZeroDivisionError']);
    assert.equal(error.stdout, 'so far\n');
    assert.ok(error.sessionId && error.httpRequestId);
    return true;
  });
  await assert.rejects(client.run('python-square', { n: 1, s: 60 }, { context: { timeout_ms: 200 } }), library.DeadlinePassed);
});

test('what the confinement refuses has a hint', async () => {
  const script = 'import socket\n\ndef handle(params):\n    socket.create_connection(("192.0.2.1", 80))\n';
  await client.putFunction('python-out', { script_content: script });
  await assert.rejects(client.run('python-out'), (error) => error instanceof library.ScriptFailed && error.hint.length > 0);
});

test('a script that does not parse is refused with its place', async () => {
  await assert.rejects(client.putFunction('python-broken', { script_content: 'def handle(:\n' }), (error) => {
    assert.ok(error instanceof library.ScriptRefused);
    assert.equal(error.details.diagnostics[0].line, 1);
    return true;
  });
});

test('a session is begun, run, described and ended', async () => {
  const { request_id: id } = await client.initialize('nodejs-sum', { script_content: 'return event.params.a + event.params.b;' });
  assert.equal((await client.execute(id, { a: 1, b: 2 }, { key: 'k' })).result, 3);
  await assert.rejects(client.execute(id, { a: 2, b: 2 }, { key: 'k' }), library.IdempotencyConflict);
  assert.equal((await client.session(id)).status, 'active');
  await client.endSession(id);
  await assert.rejects(client.execute(id), library.NotFound);
});

test('versions, aliases and the newest version', async () => {
  await client.putFunction('python-v', { script_content: 'result = 1' });
  await client.putFunction('python-v', { script_content: 'result = 2' }, { ifMatch: 1 });
  await assert.rejects(client.putFunction('python-v', { script_content: 'result = 3' }, { ifMatch: 1 }), library.PreconditionFailed);
  await client.putAlias('python-v', 'live', { version: 1 });
  assert.equal((await client.run('python-v')).result, 1);
  assert.deepEqual((await client.versions('python-v')).versions.map(({ version }) => version), [2, 1]);
  assert.equal((await client.aliases('python-v')).aliases.length, 1);
  assert.equal((await client.alias('python-v', 'live')).version, 1);
  await client.deleteAlias('python-v', 'live');
  await client.deleteFunction('python-v');
  await assert.rejects(client.function('python-v'), library.NotFound);
});

test('keys, lists and figures', async () => {
  const made = await client.createKey({ name: 'nightly', scope: 'execute:python', functions: ['python-square'] });
  assert.equal((await new library.Client({ url, token: made.key }).run('python-square', { n: 5 })).result, 25);
  assert.equal((await client.keys()).keys[0].name, 'nightly');
  await client.deleteKey(made.key_id);
  assert.equal((await client.functions({ query: 'square', language: 'python' })).functions[0].language_title, 'python-square');
  assert.ok(Array.isArray((await client.executions({ per_page: 5 })).executions));
  assert.equal((await client.usage({ bucket: 'day' })).bucket, 'day');
  await assert.rejects(client.environment('0'.repeat(64)), library.NotFound);
  assert.ok((await client.isolation()).isolation.python);
  assert.equal((await client.health()).status, 'ok');
});

test('a token that is not accepted is said', async () => {
  await assert.rejects(new library.Client({ url, token: stale }).keys(), (error) => error instanceof library.Unauthorized && /expired/.test(error.message));
  await assert.rejects(new library.Client({ url }).run('python-square'), library.Unauthorized);
});
