// Params of an execution on their way to the view that runs it again. They stay out of the address.

import type { Params } from './types';

let waiting: { name: string; params: Params } | null = null;

export function repeatLater(name: string, params: Params): void {
  waiting = { name, params };
}

export function takeRepeat(name: string | undefined): Params | null {
  const params = waiting?.name === name ? (waiting?.params ?? null) : null;
  waiting = null;
  return params;
}
