// What is tried again, and what is not, in front of a server that answers as the test says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { Client, RateLimited, RuntimeUnavailable, ServiceError, UnexpectedAnswer, Unreachable } from 'lambda-microservice-client';

const DONE = { request_id: 's', language_title: 'python-x', execution_time: 1, cached: false, result: 1 };
const SOON = { 'Retry-After': '0' };
let server;
let client;
/** The requests that came. */
let seen;
let answered;
/** What the next requests get: [status, body, headers], or 'hang up'. The last one is for all that follow. */
let answers;

const refused = (code) => ({ error: { code, message: 'not now', details: {} } });

beforeEach(async () => {
  seen = [];
  answered = 0;
  server = createServer((request, response) => {
    seen.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === 'hang up') return request.socket.destroy();
    if (answer === 'keep waiting') return undefined;
    const [status, body, headers = {}] = answer;
    answered++;
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  client = new Client({ url: `http://127.0.0.1:${server.address().port}/`, token: 'secret' });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('what is over a limit is tried again, with the same id, until it is not', async () => {
  answers = [...Array(4).fill([429, refused('RATE_LIMITED'), SOON]), [200, DONE]];
  assert.equal((await client.run('python-x')).result, 1);
  assert.equal(seen.length, 5);
  assert.equal(new Set(seen.map(({ headers }) => headers['x-request-id'])).size, 1);
  assert.equal(seen[4].headers.authorization, 'Bearer secret');
});

test('Retry-After is waited for, unless it is longer than the patience', async () => {
  const begun = performance.now();
  answers = [[429, refused('RATE_LIMITED'), { 'Retry-After': '1' }], [429, refused('RATE_LIMITED'), { 'Retry-After': '3600' }]];
  await assert.rejects(client.run('python-x'), (error) => error instanceof RateLimited && error.retryAfter === 3600);
  assert.ok(performance.now() - begun >= 1_000);
  assert.equal(seen.length, 2);
});

test('a part that is away is waited for, but not by a run that may have begun', async () => {
  answers = [[503, refused('STORE_UNAVAILABLE'), SOON], [503, refused('RUNTIME_UNAVAILABLE'), SOON], [200, DONE]];
  assert.ok(await client.putFunction('python-x', {}));
  assert.equal(seen.length, 3);
  answers = [[503, refused('RUNTIME_UNAVAILABLE'), SOON], [200, DONE]];
  await assert.rejects(client.run('python-x'), RuntimeUnavailable);
  assert.equal(seen.length, 4);
  answers = [[503, refused('RUNTIME_UNAVAILABLE'), SOON], [200, DONE]];
  assert.equal((await client.run('python-x', {}, { key: 'once' })).result, 1);
});

test('the tries are counted', async () => {
  answers = [[503, refused('STORE_UNAVAILABLE'), SOON]];
  await assert.rejects(client.functions(), ServiceError);
  assert.equal(seen.length, 3);
  const single = new Client({ url: `http://127.0.0.1:${server.address().port}`, attempts: 1 });
  answers = [[429, refused('RATE_LIMITED'), SOON]];
  await assert.rejects(single.run('python-x'), RateLimited);
  assert.equal(seen.length, 4);
});

test('a run is tried again after a lost answer only with a key', async () => {
  answers = ['hang up', [200, DONE]];
  await assert.rejects(client.run('python-x'), (error) => error instanceof Unreachable && !error.unsent && error.status === 0);
  assert.equal(seen.length, 1);
  answers = ['hang up', [502, 'bad gateway'], [200, DONE]];
  assert.equal((await client.run('python-x', {}, { key: 'once' })).result, 1);
  assert.equal(seen[1].headers['idempotency-key'], 'once');
  assert.equal(seen.length, 4);
});

test('a GET is tried again after a lost answer, a change is not', async () => {
  answers = ['hang up', [200, { keys: [] }]];
  assert.deepEqual(await client.keys(), { keys: [] });
  answers = ['hang up'];
  await assert.rejects(client.putFunction('python-x', {}), Unreachable);
  assert.equal(seen.length, 3);
});

test('a service that is not there yet is waited for, and asked with the present token', async () => {
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(new Client({ url: `http://127.0.0.1:${port}`, attempts: 1 }).run('python-x'), (error) => error.unsent && error.cause instanceof Error);
  answers = [[200, DONE]];
  let tries = 0;
  const token = async () => {
    if (++tries === 2) await once(server.listen(port, '127.0.0.1'), 'listening');
    return `t${tries}`;
  };
  assert.equal((await new Client({ url: `http://127.0.0.1:${port}`, token }).run('python-x')).result, 1);
  assert.equal(seen[0].headers.authorization, 'Bearer t2');
});

test('an answer of something else is an error', async () => {
  answers = [[404, '<html>']];
  await assert.rejects(client.run('python-x'), (error) => error instanceof UnexpectedAnswer && error.code === 'HTTP 404');
  answers = [[200, '<html>']];
  await assert.rejects(client.run('python-x'), (error) => error.code === 'HTTP 200');
});

test('a signal ends a call, and the wait for the next try', async () => {
  answers = ['keep waiting'];
  const asking = new AbortController();
  const asked = once(server, 'request');
  const call = client.run('python-x', {}, { signal: asking.signal });
  await asked;
  asking.abort(new Error('enough'));
  await assert.rejects(call, /enough/);
  answers = [[429, refused('RATE_LIMITED'), { 'Retry-After': '30' }]];
  await assert.rejects(client.run('python-x', {}, { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
  await assert.rejects(client.run('python-x', {}, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(seen.length, 2);
});

test('a map keeps to its concurrency', async () => {
  let most = 0;
  const items = function* () {
    for (let taken = 1; taken <= 200; taken++) {
      most = Math.max(most, taken - answered);
      yield {};
    }
  };
  answers = [[200, DONE]];
  assert.equal((await client.map('python-x', items(), { concurrency: 12 })).length, 200);
  assert.equal(most, 12);
});

test('a call of a map shares its signal with no other', async (t) => {
  const signals = new Set();
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', (address, init) => {
    signals.add(init.signal);
    return fetch(address, init);
  });
  answers = [[200, DONE]];
  await client.map('python-x', Array(5).fill({}));
  assert.equal(signals.size, 5);
});

test('a map ends with its first error, and takes no more items', async () => {
  let taken = 0;
  const items = function* () {
    for (; taken < 1000; taken++) yield {};
  };
  answers = [[200, DONE], [400, refused('INVALID_PARAMS')], 'keep waiting'];
  await assert.rejects(client.map('python-x', items(), { concurrency: 4 }), { code: 'INVALID_PARAMS' });
  assert.ok(taken < 10);
  await assert.rejects(client.map('python-x', [{}], { concurrency: 0 }), RangeError);
});
