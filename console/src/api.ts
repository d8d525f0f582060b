// The service, as the page asks it: the client library with the token of the session.

import {
  type Answered, type Asked, type CallOptions, Client, type MethodOf, Unauthorized, type paths,
} from '../../clients/javascript/src/index.js';
import * as session from './session';
import type { Alias, Definition, Execution, FunctionDetail, FunctionSummary, Outcome, Params } from './types';

export { NO_ANSWER, ServiceError } from '../../clients/javascript/src/index.js';

/** The service may lie below a prefix. */
export const BASE = location.pathname.replace(/\/console\/?$/, '');

class PageClient extends Client {
  protected override call<P extends keyof paths, M extends MethodOf<P>>(
    method: M, path: P, asked?: Asked<P, M>, options?: CallOptions,
  ): Promise<Answered<P, M>> {
    const token = session.current();
    return super.call(method, path, asked, options).catch((error: unknown) => {
      // Another call may have brought the same news already, or the user a new token.
      if (error instanceof Unauthorized && token && token === session.current()) session.signOut(error.message);
      throw error;
    });
  }
}

/** The person at the page sees each failure, and says whether it is tried again. */
export const client = new PageClient({ url: BASE, token: session.current, attempts: 1 });

type Query = Record<string, string | undefined>;

export interface FunctionList {
  functions: FunctionSummary[];
  cursor: string | null;
}

export const listFunctions = (asked: Query): Promise<FunctionList> => client.functions(asked);
export const describeFunction = (ref: string): Promise<FunctionDetail> => client.function(ref) as Promise<FunctionDetail>;

/** `newest` is the newest version that the user has seen; null: whatever it is. */
export function putFunction(
  name: string, definition: Partial<Definition>, newest: number | null, verify = false,
): Promise<FunctionDetail> {
  return client.putFunction(name, { ...definition, verify }, { ifMatch: newest ?? undefined }) as Promise<FunctionDetail>;
}

/** An outcome, and the id of its call. */
export interface Answer {
  body: Outcome;
  httpRequestId: string;
}

export async function execute(ref: string, params: Params, fresh: boolean): Promise<Answer> {
  const httpRequestId = requestId();
  const body = await client.run<Outcome['result']>(ref, params, { httpRequestId, ...(fresh && { cache: 'no-cache' }) });
  return { body, httpRequestId };
}

/** `crypto.randomUUID` exists on HTTPS and on this machine only. */
function requestId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function putAlias(name: string, { alias, ...rest }: Alias): Promise<void> {
  await client.putAlias(name, alias, rest);
}

export interface ExecutionList {
  executions: Execution[];
  cursor: string | null;
}

export const listExecutions = (asked: Record<string, string | number | undefined>): Promise<ExecutionList> =>
  client.executions(asked as Parameters<typeof client.executions>[0]) as Promise<ExecutionList>;

/** Milliseconds until an execution is surely in the log, in steps. */
const LOGGED = [600, 900, 1500];

/** Whether a run began a new process; null: the log does not say. Its row comes a moment after the answer. */
export async function wasCold(httpRequestId: string): Promise<boolean | null> {
  for (const pause of LOGGED) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const { executions } = await listExecutions({ per_page: 10 }).catch(() => ({ executions: [] }));
    const row = executions.find((each) => each.http_request_id === httpRequestId);
    if (row) return row.cold ?? null;
  }
  return null;
}

/** The layers of confinement that are on for scripts of a language. */
export async function isolation(language: string): Promise<string[]> {
  const { isolation: all } = await client.isolation();
  return Object.entries(all[language] ?? {}).filter(([, on]) => on).map(([layer]) => layer.replaceAll('_', ' '));
}
