export { Client } from './client.js';
export type { MapOptions, Outcome, RunByNameOptions, RunOptions } from './client.js';
export type { Answered, Asked, CallOptions, MethodOf, Settings } from './transport.js';
export * from './errors.js';
export type * from './contract.js';
