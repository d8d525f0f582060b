// What a version is made of, and the two ways to run it: as it was saved, or as a draft.

import * as api from './api';
import { same } from './format';
import type { Answer } from './api';
import type { Definition, Diagnostic, FunctionDetail, Params } from './types';

/** Unsaved text runs as a function of this title, so that callers of the real one never meet it. */
export const DRAFT = 'console-draft';

const DECLARATIONS: Record<string, RegExp> = {
  python: /^# \/\/\/ script$/m, nodejs: /["']npm:/, typescript: /["']npm:/, rust: /^---/,
};

/** Whether the script names its packages itself, so that the field must be left out. */
export function declares(language: string, script: string): boolean {
  return DECLARATIONS[language]?.test(script) ?? false;
}

export function definitionOf(detail: FunctionDetail): Definition {
  const script = detail.script_content ?? '';
  return {
    script_content: script,
    description: detail.description,
    tags: detail.tags,
    schema: detail.schema,
    enforce_result: detail.enforce_result,
    examples: detail.examples,
    defaults: detail.defaults,
    packages: declares(detail.language, script) ? [] : detail.packages,
  };
}

export function body(language: string, definition: Definition): Partial<Definition> {
  const { packages, ...rest } = definition;
  return declares(language, definition.script_content) ? rest : { ...rest, packages };
}

/** A reference to what the editor holds; makes a version of the draft unless it is what was saved. */
export async function runnable(language: string, definition: Definition, detail: FunctionDetail | null): Promise<string> {
  if (detail?.type === 'predefined') return detail.language_title;
  if (detail && same(definition, definitionOf(detail))) return `${detail.language_title}@${detail.version}`;
  const draft = await api.putFunction(`${language}-${DRAFT}`, body(language, definition), null);
  return `${draft.language_title}@${draft.version}`;
}

export async function run(
  language: string, definition: Definition, detail: FunctionDetail | null, params: Params, fresh: boolean,
): Promise<Answer> {
  return api.execute(await runnable(language, definition, detail), params, fresh);
}

/** The places of an error in the script; none where it has no line. */
export function placesOf({ details, message }: api.ServiceError): Diagnostic[] {
  if (details.diagnostics?.length) return details.diagnostics;
  return details.line ? [{ line: details.line, column: details.column ?? 1, message: details.type ? `${details.type}: ${message}` : message }] : [];
}
