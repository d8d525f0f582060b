// One call: its types from the contract, its way over fetch, and what is tried again.

import type { ErrorBody, paths } from './contract.js';
import { ERRORS, RateLimited, ServiceError, UnexpectedAnswer, Unreachable } from './errors.js';

export interface Settings {
  /** The address of the service, with the prefix below which it lies. In a browser it may be a path. */
  url: string;
  /** A JWT or an API key, or what gives the present one, which is asked before each try. Empty: none is sent. */
  token?: string | (() => string | Promise<string>);
  /** Most tries of a call that fails: 3. 1: none is tried again, not after a rate limit either. */
  attempts?: number;
  /** Milliseconds that a call waits in all between its tries: 60,000. A wait that would go beyond them is not begun. */
  patience?: number;
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call, and with it a run that no other request waits for. */
  signal?: AbortSignal | undefined;
  /** The `X-Request-ID`: 1 to 64 of `A-Za-z0-9._-`. */
  httpRequestId?: string;
  /** In place of the client's. */
  patience?: number;
}

export type Method = 'get' | 'put' | 'post' | 'delete';
type Path = keyof paths;
/** The methods that a path has. */
export type MethodOf<P extends Path> = { [M in Method]: [NonNullable<paths[P][M]>] extends [never] ? never : M }[Method];
type Operation<P extends Path, M extends Method> = NonNullable<paths[P][M]>;
type Part<T, Name extends string> = T extends { [N in Name]?: infer V } ? NonNullable<V> : undefined;
type Content<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;

/** What a call of the contract takes. */
export interface Asked<P extends Path, M extends Method> {
  path?: Part<Part<Operation<P, M>, 'parameters'>, 'path'>;
  query?: Part<Part<Operation<P, M>, 'parameters'>, 'query'>;
  headers?: Record<string, string>;
  body?: Content<Part<Operation<P, M>, 'requestBody'>>;
  /** An execution: it is tried again after a failure in the middle only if a key makes it run once. */
  execution?: { keyed: boolean };
  /** A status that is an answer, although it is no success. */
  accepted?: number;
}

type Responses<P extends Path, M extends Method> = Part<Operation<P, M>, 'responses'>;
/** What it answers. */
export type Answered<P extends Path, M extends Method> = {
  [S in keyof Responses<P, M> & (200 | 201 | 204)]: Content<Responses<P, M>[S]>;
}[keyof Responses<P, M> & (200 | 201 | 204)];

/** Sends the calls of one client. Its connections are those of `fetch`, which keeps them. */
export class Transport {
  readonly #url: string;
  readonly #token: NonNullable<Settings['token']>;
  readonly #attempts: number;
  readonly #patience: number;
  readonly #name = Math.random().toString(36).slice(2);
  #calls = 0;

  constructor(settings: Settings) {
    this.#url = settings.url.replace(/\/+$/, '');
    this.#token = settings.token ?? '';
    this.#attempts = settings.attempts ?? 3;
    this.#patience = settings.patience ?? 60_000;
  }

  /**
   * Make a call of the contract, again where that is safe.
   *
   * @throws ServiceError: the service refused it or did not answer; the reason of `signal` where that ended it.
   */
  async call<P extends Path, M extends MethodOf<P>>(
    method: M, path: P, asked: Asked<P, M> = {}, options: CallOptions = {},
  ): Promise<Answered<P, M>> {
    const httpRequestId = options.httpRequestId ?? `${this.#name}-${++this.#calls}`;
    const address = this.#url + filled(path, asked.path ?? {}) + query(asked.query ?? {});
    const body = asked.body === undefined ? null : JSON.stringify(asked.body);
    const headers: Record<string, string> = { ...asked.headers, 'X-Request-ID': httpRequestId };
    if (body !== null) headers['Content-Type'] = 'application/json';
    const sent = { method: method.toUpperCase(), headers, body, credentials: 'omit', cache: 'no-store' } as const;
    let failed = 0;
    let patience = options.patience ?? this.#patience;
    for (;;) {
      options.signal?.throwIfAborted();
      try {
        const token = typeof this.#token === 'string' ? this.#token : await this.#token();
        if (token) headers.Authorization = `Bearer ${token}`;
        const { response, text } = await fetched(address, options.signal ? { ...sent, signal: options.signal } : sent, httpRequestId);
        if (response.status === 204) return undefined as Answered<P, M>;
        const document = parsed(text);
        if (document && (response.ok || response.status === asked.accepted)) return document as Answered<P, M>;
        throw refusal(response, document, httpRequestId);
      } catch (error) {
        if (!(error instanceof ServiceError) || this.#attempts <= 1) throw error;
        let wait = FIRST_PAUSE * 2 ** failed * (1 + Math.random() / 2);
        if (error.retryAfter !== null) wait = Math.max(wait, error.retryAfter * 1000 + Math.random() * FIRST_PAUSE);
        const again = error instanceof RateLimited || (++failed < this.#attempts && repeatable(error, method, asked.execution));
        if (!again || (patience -= wait) < 0) throw error;
        await sleep(wait, options.signal);
      }
    }
  }
}

async function fetched(address: string, init: RequestInit, httpRequestId: string): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(address, init);
    return { response, text: await response.text() };
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    const { code = '' } = ((error as Error).cause ?? {}) as { code?: string };
    throw new Unreachable(error, httpRequestId, BEFORE_A_CONNECTION.has(code));
  }
}

type Failed = { error?: ErrorBody; request_id?: string };

function refusal(response: Response, document: Failed | undefined, httpRequestId: string): ServiceError {
  const known = document?.error;
  const body = known ?? { code: `HTTP ${response.status}`, message: 'The answer is not one of this service.', details: {} };
  const Class = known ? (ERRORS[known.code] ?? ServiceError) : UnexpectedAnswer;
  const after = response.headers.get('Retry-After');
  return new Class(body, response.status, httpRequestId, after === null ? null : Number.parseInt(after, 10) || 0, document?.request_id);
}

/** Whether a call that failed in this way may be made again: it did not begin, or may run twice. */
function repeatable(error: ServiceError, method: Method, execution: { keyed: boolean } | undefined): boolean {
  const harmless = method === 'get' || execution?.keyed === true;
  if (error instanceof Unreachable) return error.unsent || harmless;
  // A runtime that went away in the middle is answered so, too: an execution without a key may have run.
  if (error.status === 503) return harmless || execution === undefined;
  return harmless && error instanceof UnexpectedAnswer && error.status > 500;
}

/** Milliseconds before the second try where the service names no time; doubled with each further one. */
const FIRST_PAUSE = 200;

/** The codes by which Node.js tells why `fetch` failed. */
const BEFORE_A_CONNECTION = new Set(['EAI_AGAIN', 'ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT']);

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function parsed(text: string): Failed | undefined {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/** The address of a path of the contract. */
function filled(path: string, values: object): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String((values as Record<string, unknown>)[name])));
}

function query(values: object): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}
