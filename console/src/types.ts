// What the API answers, as docs/openapi.yaml says it.

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

export interface FunctionSummary {
  language: string;
  title: string;
  language_title: string;
  description: string;
  type: 'predefined' | 'dynamic';
  updated_at: string;
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

export interface FunctionDetail extends FunctionSummary, Omit<Definition, 'script_content'> {
  version: number;
  newest: number;
  environment: string | null;
  aliases: string[];
  script_content?: string;
}

export interface Version {
  version: number;
  script_hash: string;
  created_at: string;
  aliases: string[];
}

export interface Alias {
  alias: string;
  version: number;
  canary?: { version: number; weight: number };
}

export interface Outcome {
  request_id: string;
  language_title: string;
  execution_time: number;
  cached: boolean;
  result: Json;
  stdout?: string;
  stderr?: string;
  version?: number;
}

export interface Diagnostic {
  line: number | null;
  column: number | null;
  message: string;
}

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
  differences?: Json[];
}

export interface ErrorBody {
  code: string;
  message: string;
  details: ErrorDetails;
}

export interface Execution {
  http_request_id: string;
  request_id: string | null;
  language_title: string | null;
  version: number | null;
  status_code: number;
  code: string | null;
  cached: boolean;
  cold?: boolean | null;
  duration_ms: number;
  created_at: string;
  params: Params | null;
  result: Json;
  error: ErrorBody | null;
}

export interface Session {
  request_id: string;
  language_title: string;
  status: 'active' | 'expired' | 'closed';
  created_at: string;
  expires_at: string;
  execution_count: number;
  last_executed_at: string | null;
}

export interface Figures {
  executions: number;
  errors: Record<string, number>;
  cached: number;
  cached_share: number;
  cpu_ms: number;
  wall_ms: number;
  bytes_in: number;
  bytes_out: number;
}

export interface Usage {
  from: string;
  to: string;
  total: Figures;
  buckets: (Figures & { starts_at: string })[];
}

export interface Key {
  key_id: string;
  key?: string;
  name: string;
  scope: string;
  functions: string[] | null;
  created_at?: string;
  expires_at: string;
  last_used_at?: string | null;
}

export interface Environment {
  digest: string;
  state: string;
  bytes: number;
  packages: { name: string; version: string; bytes: number | null; licence: string | null }[];
}
