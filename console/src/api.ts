// The only module that calls the service.

import * as session from './session';
import type {
  Alias, Definition, Environment, ErrorBody, Execution, FunctionDetail, FunctionSummary, Json, Key, Outcome, Params,
  Session, Usage, Version,
} from './types';

/** The service may lie below a prefix. */
export const BASE = location.pathname.replace(/\/console\/?$/, '');
const API = `${BASE}/api/v1`;
export const NO_ANSWER = 'NO_ANSWER';

/** An answer that is no success, or none at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly httpRequestId: string,
    /** Seconds. */
    readonly retryAfter: number | null = null,
  ) {
    super(body.message);
  }
}

export interface Answer<T> {
  body: T;
  httpRequestId: string;
}

type Query = Record<string, string | number | undefined>;

async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
  const httpRequestId = requestId();
  const sent: Record<string, string> = { ...headers, 'X-Request-ID': httpRequestId, Accept: 'application/json' };
  const token = session.current();
  if (token) sent.Authorization = `Bearer ${token}`;
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(API + path, {
      method, headers: sent, credentials: 'omit', cache: 'no-store', body: body === undefined ? null : JSON.stringify(body),
    });
  } catch {
    const message = navigator.onLine ? 'The service does not answer.' : 'This device is offline.';
    throw new ApiError(0, { code: NO_ANSWER, message, details: {} }, httpRequestId);
  }
  if (response.status === 204) return { body: undefined as T, httpRequestId };
  const document = (await response.json().catch(() => null)) as { error?: ErrorBody } | null;
  if (response.ok && document !== null) return { body: document as T, httpRequestId };
  const error = document?.error ?? { code: `HTTP ${response.status}`, message: 'The answer is not one of this service.', details: {} };
  // Another call may have brought the same news already, or the user a new token.
  if (response.status === 401 && token && token === session.current()) session.signOut(error.message);
  const after = Number(response.headers.get('Retry-After')) || null;
  throw new ApiError(response.status, error, httpRequestId, after);
}

/** `crypto.randomUUID` exists on HTTPS and on this machine only. */
function requestId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function query(values: Query): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : '';
}

const get = async <T>(path: string): Promise<T> => (await request<T>('GET', path)).body;
const remove = async (path: string): Promise<void> => void (await request('DELETE', path));
const of = (ref: string): string => `/functions/${encodeURIComponent(ref)}`;

export interface FunctionList {
  functions: FunctionSummary[];
  cursor: string | null;
}

export const listFunctions = (asked: Query): Promise<FunctionList> => get(`/functions${query(asked)}`);
export const describeFunction = (ref: string): Promise<FunctionDetail> => get(of(ref));
export const deleteFunction = (ref: string): Promise<void> => remove(of(ref));

/** `newest` is the newest version that the user has seen; null: whatever it is. */
export async function putFunction(
  name: string, definition: Partial<Definition>, newest: number | null, verify = false,
): Promise<FunctionDetail> {
  const headers: Record<string, string> = newest === null ? {} : { 'If-Match': `"${newest}"` };
  return (await request<FunctionDetail>('PUT', of(name), { ...definition, verify }, headers)).body;
}

export function execute(ref: string, params: Params, fresh: boolean): Promise<Answer<Outcome>> {
  return request('POST', `${of(ref)}/execute`, { params }, fresh ? { 'X-Cache-Control': 'no-cache' } : {});
}

export const listVersions = (name: string, cursor?: string): Promise<{ versions: Version[]; cursor: string | null }> =>
  get(`${of(name)}/versions${query({ cursor })}`);
export const listAliases = (name: string): Promise<{ aliases: Alias[] }> => get(`${of(name)}/aliases`);
export const deleteAlias = (name: string, alias: string): Promise<void> => remove(`${of(name)}/aliases/${alias}`);

export async function putAlias(name: string, { alias, ...rest }: Alias): Promise<void> {
  await request('PUT', `${of(name)}/aliases/${alias}`, rest);
}

export const listExecutions = (asked: Query): Promise<{ executions: Execution[]; cursor: string | null }> =>
  get(`/executions${query(asked)}`);
export const describeSession = (id: string): Promise<Session> => get(`/sessions/${encodeURIComponent(id)}`);
export const endSession = (id: string): Promise<void> => remove(`/sessions/${encodeURIComponent(id)}`);
export const usage = (asked: Query): Promise<Usage> => get(`/usage${query(asked)}`);
export const describeEnvironment = (digest: string): Promise<Environment> => get(`/environments/${digest}`);

export const listKeys = (): Promise<{ keys: Key[] }> => get('/keys');
export const deleteKey = (id: string): Promise<void> => remove(`/keys/${id}`);
export async function createKey(asked: { [name: string]: Json }): Promise<Key> {
  return (await request<Key>('POST', '/keys', asked)).body;
}

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
  const { isolation: all } = await get<{ isolation: Record<string, Record<string, boolean> | null> }>('/isolation');
  return Object.entries(all[language] ?? {}).filter(([, on]) => on).map(([layer]) => layer.replaceAll('_', ' '));
}
