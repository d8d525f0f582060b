// The calls of the service, and a map over many of them.

import type {
  Alias, AliasAnswer, Aliases, CallContext, EnvironmentAnswer, ExecuteAnswer, ExecutionPage, FunctionDetail, FunctionPage,
  FunctionVersions, HealthAnswer, Initialize, InitializeAnswer, IsolationAnswer, Key, KeyAnswer, KeyList, PutFunction,
  SessionAnswer, UsageAnswer, operations, paths,
} from './contract.js';
import { ScriptError } from './errors.js';
import { type Answered, type Asked, type CallOptions, type MethodOf, type Settings, Transport } from './transport.js';

type Query<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>;

/** The answer to a run. `Result` is what the script returns. */
export type Outcome<Result = unknown> = Omit<ExecuteAnswer, 'result'> & { result: Result };

export interface RunOptions extends CallOptions {
  /** An idempotency key: with one, the call runs once in 24 hours, and is tried again after any failure. */
  key?: string | undefined;
  /** `no-cache` runs anew; `max-age=60` keeps the result for 60 seconds. */
  cache?: string;
}

export interface RunByNameOptions extends RunOptions {
  /** Laid over the function's own; `timeout_ms` and `isolation` count. */
  context?: CallContext;
}

export interface MapOptions<Params> extends Omit<RunByNameOptions, 'key' | 'httpRequestId'> {
  /** Calls at the same time: 8. */
  concurrency?: number;
  /** Makes an item's idempotency key. */
  keys?: (params: Params, index: number) => string;
  /** `return` gives an item's ScriptError in its place; `throw`, the default, ends with it. */
  errors?: 'throw' | 'return';
}

/** Speaks with one service for one user. */
export class Client {
  readonly #transport: Transport;

  constructor(settings: Settings) {
    this.#transport = new Transport(settings);
  }

  /** Every call goes through here: to see them all, extend it. */
  protected call<P extends keyof paths, M extends MethodOf<P>>(
    method: M, path: P, asked?: Asked<P, M>, options?: CallOptions,
  ): Promise<Answered<P, M>> {
    return this.#transport.call(method, path, asked, options);
  }

  /**
   * Run a function by its reference: `python-price`, `python-price@2` or `python-price@live`.
   *
   * @throws ScriptError: the script failed. InvalidParams: the params break its schema.
   */
  run<Result = unknown>(ref: string, params: object = {}, options: RunByNameOptions = {}): Promise<Outcome<Result>> {
    const body = { params: params as Record<string, unknown>, ...(options.context && { context: options.context }) };
    const asked = { path: { function_ref: ref }, body, ...execution(options) };
    return this.call('post', '/api/v1/functions/{function_ref}/execute', asked, options) as Promise<Outcome<Result>>;
  }

  /**
   * Run a function for each item, several at the same time. The answers come in the order of the items, which are read
   * as they are needed. A rate limit is waited for, however long that takes. A failure ends the runs under way.
   */
  map<Result = unknown, Params extends object = object>(
    ref: string, items: Iterable<Params>, options: MapOptions<Params> & { errors: 'return' },
  ): Promise<(Outcome<Result> | ScriptError)[]>;
  map<Result = unknown, Params extends object = object>(
    ref: string, items: Iterable<Params>, options?: MapOptions<Params>,
  ): Promise<Outcome<Result>[]>;
  async map<Result, Params extends object>(
    ref: string, items: Iterable<Params>, options: MapOptions<Params> = {},
  ): Promise<(Outcome<Result> | ScriptError)[]> {
    const { concurrency = 8, keys, errors, signal, ...rest } = options;
    if (!(concurrency >= 1)) throw new RangeError(`concurrency must be at least 1, not ${concurrency}`);
    const outcomes: (Outcome<Result> | ScriptError)[] = [];
    // A signal for each call: with one for thousands of them, `fetch` of Node.js 20 warns of a leak of listeners.
    const running = new Set<AbortController>();
    const stop = (reason: unknown): void => running.forEach((call) => call.abort(reason));
    const passOn = (): void => stop(signal!.reason);
    signal?.addEventListener('abort', passOn, { once: true });
    const waiting = numbered(items);
    const work = async (): Promise<void> => {
      // All of them take from one iterator. When one of them throws, that closes it for the others.
      for (const [index, params] of waiting) {
        signal?.throwIfAborted();
        const call = new AbortController();
        running.add(call);
        const run = this.run<Result>(ref, params, { patience: Infinity, ...rest, key: keys?.(params, index), signal: call.signal });
        outcomes[index] = await (errors === 'return' ? run.catch(ofScript) : run).finally(() => running.delete(call));
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.floor(concurrency) }, work));
    } catch (error) {
      stop(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', passOn);
    }
    return outcomes;
  }

  /** Make a version of a function. `ifMatch` is the newest version that the caller knows; the service refuses if there is a newer one. */
  putFunction(name: string, definition: PutFunction, options: CallOptions & { ifMatch?: number | undefined } = {}): Promise<FunctionDetail> {
    const headers: Record<string, string> = options.ifMatch === undefined ? {} : { 'If-Match': `"${options.ifMatch}"` };
    return this.call('put', '/api/v1/functions/{function_ref}', { path: { function_ref: name }, body: definition, headers }, options);
  }

  functions(query: Query<'list_functions'> = {}, options?: CallOptions): Promise<FunctionPage> {
    return this.call('get', '/api/v1/functions', { query }, options);
  }
  function(ref: string, options?: CallOptions): Promise<FunctionDetail> {
    return this.call('get', '/api/v1/functions/{function_ref}', { path: { function_ref: ref } }, options);
  }
  /** Delete a function with all of its versions, or the version that the reference names. */
  deleteFunction(ref: string, options?: CallOptions): Promise<void> {
    return this.call('delete', '/api/v1/functions/{function_ref}', { path: { function_ref: ref } }, options);
  }
  versions(name: string, query: Query<'list_versions'> = {}, options?: CallOptions): Promise<FunctionVersions> {
    return this.call('get', '/api/v1/functions/{language_title}/versions', { path: { language_title: name }, query }, options);
  }
  aliases(name: string, options?: CallOptions): Promise<Aliases> {
    return this.call('get', '/api/v1/functions/{language_title}/aliases', { path: { language_title: name } }, options);
  }
  alias(name: string, alias: string, options?: CallOptions): Promise<AliasAnswer> {
    return this.call('get', '/api/v1/functions/{language_title}/aliases/{alias}', { path: { language_title: name, alias } }, options);
  }
  /** Let an alias name a version, and another one get a share of its calls. */
  putAlias(name: string, alias: string, body: Alias, options?: CallOptions): Promise<AliasAnswer> {
    return this.call('put', '/api/v1/functions/{language_title}/aliases/{alias}', { path: { language_title: name, alias }, body }, options);
  }
  deleteAlias(name: string, alias: string, options?: CallOptions): Promise<void> {
    return this.call('delete', '/api/v1/functions/{language_title}/aliases/{alias}', { path: { language_title: name, alias } }, options);
  }
  /** Begin a session of a function. With `script_content` it is registered under this name. */
  initialize(ref: string, body: Initialize = {}, options?: CallOptions): Promise<InitializeAnswer> {
    return this.call('post', '/api/v1/initialize', { headers: { 'Language-Title': ref }, body }, options);
  }
  /** Run the script of a session. */
  execute<Result = unknown>(sessionId: string, params: object = {}, options: RunOptions = {}): Promise<Outcome<Result>> {
    const asked = { path: { request_id: sessionId }, body: { params: params as Record<string, unknown> }, ...execution(options) };
    return this.call('post', '/api/v1/execute/{request_id}', asked, options) as Promise<Outcome<Result>>;
  }
  session(sessionId: string, options?: CallOptions): Promise<SessionAnswer> {
    return this.call('get', '/api/v1/sessions/{request_id}', { path: { request_id: sessionId } }, options);
  }
  endSession(sessionId: string, options?: CallOptions): Promise<void> {
    return this.call('delete', '/api/v1/sessions/{request_id}', { path: { request_id: sessionId } }, options);
  }
  executions(query: Query<'list_executions'> = {}, options?: CallOptions): Promise<ExecutionPage> {
    return this.call('get', '/api/v1/executions', { query }, options);
  }
  usage(query: Query<'usage'> = {}, options?: CallOptions): Promise<UsageAnswer> {
    return this.call('get', '/api/v1/usage', { query }, options);
  }
  /** The key itself is in this answer alone. */
  createKey(body: Key, options?: CallOptions): Promise<KeyAnswer> {
    return this.call('post', '/api/v1/keys', { body }, options);
  }
  keys(options?: CallOptions): Promise<KeyList> {
    return this.call('get', '/api/v1/keys', {}, options);
  }
  deleteKey(keyId: string, options?: CallOptions): Promise<void> {
    return this.call('delete', '/api/v1/keys/{key_id}', { path: { key_id: keyId } }, options);
  }
  /** The packages that a function's or a session's environment has. */
  environment(digest: string, options?: CallOptions): Promise<EnvironmentAnswer> {
    return this.call('get', '/api/v1/environments/{digest}', { path: { digest } }, options);
  }
  /** The layers that confine scripts, by language. */
  isolation(options?: CallOptions): Promise<IsolationAnswer> {
    return this.call('get', '/api/v1/isolation', {}, options);
  }
  /** The state of the service and its parts; also when it cannot serve. */
  health(options?: CallOptions): Promise<HealthAnswer> {
    return this.call('get', '/health', { accepted: 503 }, options);
  }
}

function execution({ key, cache }: RunOptions): { headers: Record<string, string>; execution: { keyed: boolean } } {
  const headers = { ...(key !== undefined && { 'Idempotency-Key': key }), ...(cache !== undefined && { 'X-Cache-Control': cache }) };
  return { headers, execution: { keyed: key !== undefined } };
}

function* numbered<T>(items: Iterable<T>): Generator<[number, T]> {
  let index = 0;
  for (const item of items) yield [index++, item];
}

function ofScript(error: unknown): ScriptError {
  if (error instanceof ScriptError) return error;
  throw error;
}
