// A form made of the JSON Schema of params: text, numbers, switches, choices, lists of them and objects, one level deep.
// Everything else is a field of JSON.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { pretty } from './format';
import type { Json, Params, Schema } from './types';

type Change<T> = (value: T | undefined) => void;
const SCALARS = ['string', 'number', 'integer'];

/** Where a text of params is empty. */
export const NO_PARAMS: Params = {};

export function formable(schema: Schema | undefined): schema is Schema & { properties: Record<string, Schema> } {
  return kindOf(schema ?? {}) === 'object' && Object.keys(schema?.properties ?? {}).length > 0;
}

/** What a form begins with: the defaults of the schema. */
export function defaultsOf(schema: Schema | undefined): Params {
  const given = Object.entries(schema?.properties ?? {}).flatMap(([name, each]): [string, Json][] =>
    each.default === undefined ? [] : [[name, each.default]]);
  return Object.fromEntries(given);
}

export function SchemaForm(
  { schema, value, change, level = 0 }: { schema: Schema; value: Params; change: (value: Params) => void; level?: number },
): JSX.Element {
  const set = (name: string) => (next: Json | undefined): void => {
    const { [name]: _, ...rest } = value;
    change(next === undefined ? rest : { ...rest, [name]: next });
  };
  return (
    <div class="form">
      {Object.entries(schema.properties ?? {}).map(([name, each]) => (
        <Field name={name} schema={each} required={schema.required?.includes(name) ?? false} value={value[name]} change={set(name)} level={level} />
      ))}
    </div>
  );
}

interface FieldProps {
  name: string;
  schema: Schema;
  required: boolean;
  value: Json | undefined;
  change: Change<Json>;
  level: number;
}

function kindOf(schema: Schema): string {
  return (Array.isArray(schema.type) ? schema.type.find((type) => type !== 'null') : schema.type) ?? 'any';
}

function Field({ name, schema, required, value, change, level }: FieldProps): JSX.Element {
  const kind = kindOf(schema);
  const label = <span class="label">{schema.title ?? name}{required && <span class="needed"> (needed)</span>}</span>;
  const about = schema.description && <span class="quiet">{schema.description}</span>;
  if (kind === 'object' && schema.properties && level === 0) {
    return (
      <fieldset>
        <legend>{schema.title ?? name}</legend>
        <SchemaForm schema={schema} value={isParams(value) ? value : {}} change={change} level={1} />
      </fieldset>
    );
  }
  if (kind === 'boolean' && !schema.enum) {
    return (
      <label class="tick"><input type="checkbox" checked={value === true} onChange={(event) => change(event.currentTarget.checked)} /> {label} {about}</label>
    );
  }
  return <label class="field">{label}<Input kind={kind} schema={schema} value={value} change={change} />{about}</label>;
}

function Input({ kind, schema, value, change }: { kind: string; schema: Schema; value: Json | undefined; change: Change<Json> }): JSX.Element {
  if (schema.enum) {
    const choices = schema.enum;
    return (
      <select value={choices.findIndex((each) => each === value)} onChange={(event) => change(choices[Number(event.currentTarget.value)])}>
        <option value={-1}>not set</option>
        {choices.map((each, index) => <option value={index}>{typeof each === 'string' ? each : JSON.stringify(each)}</option>)}
      </select>
    );
  }
  if (kind === 'string') {
    return <input type="text" value={typeof value === 'string' ? value : ''} onInput={(event) => change(event.currentTarget.value || undefined)} />;
  }
  if (kind === 'number' || kind === 'integer') {
    return (
      <input type="number" step={kind === 'integer' ? 1 : 'any'} min={schema.minimum} max={schema.maximum}
        value={typeof value === 'number' ? value : ''} onInput={(event) => change(numberOf(event.currentTarget.value))} />
    );
  }
  const item = kind === 'array' ? kindOf(schema.items ?? {}) : '';
  if (SCALARS.includes(item)) return <ListInput item={item} value={value} change={change} />;
  return <JsonInput value={value} change={change} />;
}

/** A list of texts or numbers, one in a line. */
function ListInput({ item, value, change }: { item: string; value: Json | undefined; change: Change<Json> }): JSX.Element {
  const [text, setText] = useState(Array.isArray(value) ? value.join('\n') : '');
  const input = (written: string): void => {
    setText(written);
    const lines = written.split('\n').filter((line) => line.trim() !== '');
    change(item === 'string' ? lines : lines.map((line) => numberOf(line) ?? line));
  };
  return <textarea class="code" rows={3} placeholder="one in a line" value={text} onInput={(event) => input(event.currentTarget.value)} />;
}

interface JsonProps {
  value: Json | undefined;
  change: Change<Json>;
  rows?: number;
  label?: string;
  /** Whether only objects are taken. */
  objects?: boolean;
  /** What an empty text stands for. */
  blank?: Json;
}

/** JSON as a text. What does not parse is said, and not taken. */
export function JsonInput({ value, change, rows = 4, label, objects = false, blank }: JsonProps): JSX.Element {
  const [text, setText] = useState(value === undefined ? '' : pretty(value));
  const [fault, setFault] = useState('');
  const last = useRef(value);
  useEffect(() => {
    if (value === last.current) return;
    last.current = value;
    setText(value === undefined ? '' : pretty(value));
  }, [value]);
  const input = (written: string): void => {
    setText(written);
    const found = written.trim() === '' ? { value: blank } : read(written);
    const taken = found !== null && (!objects || found.value === undefined || isParams(found.value));
    setFault(taken ? '' : `This is not ${objects ? 'an object in JSON' : 'JSON'} yet.`);
    if (!taken) return;
    last.current = found.value;
    change(found.value);
  };
  return (
    <>
      <textarea class="code" rows={rows} spellcheck={false} aria-label={label} aria-invalid={fault !== ''} value={text}
        onInput={(event) => input(event.currentTarget.value)} />
      {fault && <span class="fault" role="status">{fault}</span>}
    </>
  );
}

function read(text: string): { value: Json } | null {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return null;
  }
}

function numberOf(text: string): number | undefined {
  const found = Number(text);
  return text.trim() === '' || !Number.isFinite(found) ? undefined : found;
}

export function isParams(value: Json | undefined): value is Params {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
