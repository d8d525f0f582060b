// Examples are tests: each runs with its params, and its result is compared.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { run } from '../definition';
import { same } from '../format';
import { known } from '../load';
import { Highlighted } from '../result';
import { JsonInput, NO_PARAMS } from '../schema_form';
import type { Definition, Example, FunctionDetail, Json, Params } from '../types';

type Verdict = { state: 'running' | 'passed' } | { state: 'differs'; result: Json } | { state: 'failed'; message: string };
interface Panel {
  language: string;
  detail: FunctionDetail | null;
  definition: Definition;
  set: (examples: Example[]) => void;
}

export function ExamplesPanel({ language, detail, definition, set }: Panel): JSX.Element {
  const { examples } = definition;
  const [verdicts, setVerdicts] = useState<Record<number, Verdict>>({});
  const judge = async (index: number): Promise<void> => {
    const tell = (verdict: Verdict): void => setVerdicts((before) => ({ ...before, [index]: verdict }));
    const { params = {}, result = null } = examples[index]!;
    tell({ state: 'running' });
    try {
      const { body } = await run(language, definition, detail, params, true);
      tell(same(body.result, result) ? { state: 'passed' } : { state: 'differs', result: body.result });
    } catch (failure) {
      tell({ state: 'failed', message: known(failure).message });
    }
  };
  const all = async (): Promise<void> => {
    setVerdicts({});
    for (const index of examples.keys()) await judge(index);
  };
  const change = (index: number, part: Partial<Example>): void => {
    setVerdicts({});
    set(examples.map((each, at) => (at === index ? { ...each, ...part } : each)));
  };
  const remove = (index: number): void => {
    setVerdicts({});
    set(examples.filter((_, at) => at !== index));
  };
  const passed = Object.values(verdicts).filter(({ state }) => state === 'passed').length;
  return (
    <>
      <div class="row">
        <button type="button" class="primary" disabled={examples.length === 0} onClick={() => void all()}>Run all</button>
        <button type="button" onClick={() => set([...examples, { name: `example ${examples.length + 1}`, params: {}, result: null }])}>Add</button>
        <span role="status" class="quiet">{Object.keys(verdicts).length > 0 && `${passed} of ${examples.length} passed`}</span>
      </div>
      {examples.length === 0 && <p class="empty">There are no examples. A version can be refused where one of them differs.</p>}
      <ol class="examples">
        {examples.map((example, index) => (
          <One key={`${index} of ${examples.length}`} example={example} verdict={verdicts[index]} change={(part) => change(index, part)} remove={() => remove(index)} />
        ))}
      </ol>
    </>
  );
}

interface OneProps {
  example: Example;
  verdict: Verdict | undefined;
  change: (part: Partial<Example>) => void;
  remove: () => void;
}

function One({ example, verdict, change, remove }: OneProps): JSX.Element {
  return (
    <li data-verdict={verdict?.state ?? ''}>
      <div class="row">
        <input type="text" aria-label="Name of the example" maxLength={100} value={example.name ?? ''}
          onInput={(event) => change({ name: event.currentTarget.value || undefined })} />
        {verdict && <span class={`badge ${verdict.state === 'passed' ? 'good' : verdict.state === 'running' ? '' : 'bad'}`}>{verdict.state}</span>}
        <button type="button" class="plain" onClick={remove}>Remove</button>
      </div>
      <details>
        <summary>Params and result</summary>
        <label class="field"><span class="label">Params</span>
          <JsonInput objects blank={NO_PARAMS} value={example.params} change={(params) => change({ params: params as Params })} /></label>
        <label class="field"><span class="label">Result</span>
          <JsonInput blank={null} value={example.result} change={(result) => change({ result: result as Json })} /></label>
      </details>
      {verdict?.state === 'differs' && <><p>It returned</p><Highlighted value={verdict.result} /></>}
      {verdict?.state === 'failed' && <p class="fault">{verdict.message}</p>}
    </li>
  );
}
