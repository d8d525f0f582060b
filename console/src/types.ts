// What the API answers. The types are those of the client library; what the contract leaves open is JSON.

import type * as contract from '../../clients/javascript/src/index.js';

export type {
  AliasAnswer as Alias, Diagnostic, FunctionSummary, FunctionVersion as Version, KeyAnswer, SessionAnswer as Session,
  UsageAnswer as Usage, UsageFigures as Figures,
} from '../../clients/javascript/src/index.js';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Params = { [name: string]: Json };

/** The part of JSON Schema that forms are made of. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: Json[];
  default?: Json;
  minimum?: number;
  maximum?: number;
  [keyword: string]: unknown;
}

export interface Example {
  name?: string;
  params?: Params;
  result?: Json;
}

export interface Defaults {
  timeout_ms?: number;
  isolation?: 'session' | 'execution';
  cache_ttl?: number;
  [name: string]: Json | undefined;
}

/** What a version is made of: the body of PUT. */
export interface Definition {
  script_content: string;
  description: string;
  tags: string[];
  schema: { params?: Schema; result?: Schema };
  enforce_result: boolean;
  examples: Example[];
  defaults: Defaults;
  /** Of the field; empty where the script declares its own. */
  packages: string[];
}

export type FunctionDetail = Omit<contract.FunctionDetail, keyof Definition> & Omit<Definition, 'script_content'> & { script_content?: string };
export type Outcome = contract.Outcome<Json>;
export type Execution = Omit<contract.ExecutionEntry, 'params' | 'result' | 'error'> & {
  params: Params | null;
  result: Json;
  error: { code: string; message: string; details: contract.ErrorDetails } | null;
};
