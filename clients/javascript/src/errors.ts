// What the service refuses, and what a script fails with, as classes.

import type { ErrorBody } from './contract.js';

/** A place in a script, as its user sent it. Lines and columns count from 1. */
export interface Diagnostic {
  line: number | null;
  column: number | null;
  message: string;
}

/** What `details` of an error may have. */
export interface ErrorDetails {
  kind?: string;
  type?: string;
  stage?: string;
  line?: number | null;
  column?: number | null;
  hint?: string;
  stack_trace?: string;
  stdout?: string;
  stderr?: string;
  timeout_ms?: number;
  diagnostics?: Diagnostic[];
  errors?: { pointer: string; message: string }[];
  differences?: unknown[];
  [name: string]: unknown;
}

/** Why a call failed. Each code has a class below. */
export class ServiceError extends Error {
  readonly code: string;
  readonly details: ErrorDetails;

  /**
   * @param status of HTTP; 0: there was no answer.
   * @param httpRequestId the `X-Request-ID`, which all log lines of the call carry.
   * @param retryAfter seconds; null: the answer does not say.
   * @param sessionId where the session is known.
   */
  constructor(
    body: ErrorBody, readonly status: number, readonly httpRequestId: string, readonly retryAfter: number | null = null,
    readonly sessionId?: string, options?: ErrorOptions,
  ) {
    super(body.message, options);
    this.name = new.target.name;
    ({ code: this.code, details: this.details } = body);
  }
}

/** The code of an error that the service did not send: there was no answer. */
export const NO_ANSWER = 'NO_ANSWER';

/** There was no answer. `cause` is the error of `fetch`. */
export class Unreachable extends ServiceError {
  /** @param unsent whether the service surely got nothing of the call. A browser does not tell, so there it is false. */
  constructor(cause: unknown, httpRequestId: string, readonly unsent: boolean) {
    super({ code: NO_ANSWER, message: 'The service does not answer.', details: {} }, 0, httpRequestId, null, undefined, { cause });
  }
}

/** The answer is not one of the service: something between has sent it. */
export class UnexpectedAnswer extends ServiceError {}

export class InvalidRequest extends ServiceError {}
/** The params are no object or break the function's schema: `details.errors` has the places. */
export class InvalidParams extends ServiceError {}
export class Unauthorized extends ServiceError {}
export class Forbidden extends ServiceError {}
export class NotFound extends ServiceError {}
export class Conflict extends ServiceError {}
export class IdempotencyConflict extends ServiceError {}
export class PreconditionFailed extends ServiceError {}
export class RateLimited extends ServiceError {}
export class RuntimeUnavailable extends ServiceError {}
export class StoreUnavailable extends ServiceError {}
export class InternalError extends ServiceError {}

/** The script is at fault: it was refused, it failed, or it took too long. */
export class ScriptError extends ServiceError {
  /** What happened: `exception`, `memory_limit`, `result_not_json` and others, where the script ran. */
  get kind(): string | undefined {
    return this.details.kind;
  }
  /** The line in the script, from 1. */
  get line(): number | null {
    return this.details.line ?? null;
  }
  get column(): number | null {
    return this.details.column ?? null;
  }
  /** What the confinement did not allow, and what to use instead. */
  get hint(): string | undefined {
    return this.details.hint;
  }
  /** What the script printed. */
  get stdout(): string {
    return this.details.stdout ?? '';
  }
  get stderr(): string {
    return this.details.stderr ?? '';
  }
}

/** It does not parse or compile, its packages cannot be had, or an example differs: see `details.stage`. */
export class ScriptRefused extends ScriptError {}
/** It raised an error or broke a limit. */
export class ScriptFailed extends ScriptError {}
/** It did not end in time: `details.timeout_ms` is the time that it had. */
export class DeadlinePassed extends ScriptError {}

/** The class of each code of the contract. A code that is newer than this library has the class that all extend. */
export const ERRORS: Readonly<Record<string, typeof ServiceError>> = {
  INVALID_REQUEST: InvalidRequest,
  INVALID_PARAMS: InvalidParams,
  UNAUTHORIZED: Unauthorized,
  FORBIDDEN: Forbidden,
  NOT_FOUND: NotFound,
  CONFLICT: Conflict,
  IDEMPOTENCY_CONFLICT: IdempotencyConflict,
  PRECONDITION_FAILED: PreconditionFailed,
  RATE_LIMITED: RateLimited,
  INITIALIZATION_ERROR: ScriptRefused,
  RUNTIME_ERROR: ScriptFailed,
  TIMEOUT: DeadlinePassed,
  RUNTIME_UNAVAILABLE: RuntimeUnavailable,
  STORE_UNAVAILABLE: StoreUnavailable,
  INTERNAL_ERROR: InternalError,
};
