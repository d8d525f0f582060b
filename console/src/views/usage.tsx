// The figures of the last hour and day, drawn.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import * as api from '../api';
import { bytes, duration, percent } from '../format';
import { Show, useLoad } from '../load';
import type { Figures, Usage } from '../types';

const HOUR = 3_600_000;
const NONE: Figures = { executions: 0, errors: {}, cached: 0, cached_share: 0, cpu_ms: 0, wall_ms: 0, bytes_in: 0, bytes_out: 0 };
type Bucket = Usage['buckets'][number];

const failures = ({ errors }: Figures): number => Object.values(errors).reduce((sum, count) => sum + count, 0);

/** The measures that can be drawn. */
const MEASURES: [string, (of: Figures) => number, (value: number) => string][] = [
  ['Requests', (of) => of.executions, String],
  ['Errors', failures, String],
  ['Hit rate', (of) => of.cached_share, percent],
  ['CPU', (of) => of.cpu_ms, duration],
];

export function UsageView(): JSX.Element {
  const loaded = useLoad(() => api.client.usage({ bucket: 'hour' }), []);
  return (
    <>
      <div class="title"><h1 tabIndex={-1}>Usage</h1><button type="button" onClick={loaded.again}>Refresh</button></div>
      <Show of={loaded} empty={({ total }) => total.executions === 0 && <p class="empty">Nothing has run in the last day. Run a function, and its figures are here.</p>}>
        {(usage) => {
          const hours = filled(usage);
          return (
            <>
              <Numbers title="This hour" figures={hours.at(-1) ?? NONE} />
              <Numbers title="Last day" figures={usage.total} />
              <Chart hours={hours} />
            </>
          );
        }}
      </Show>
    </>
  );
}

/** Every hour of the range: those in which nothing ran are not in the answer. */
function filled({ from, to, buckets }: Usage): Bucket[] {
  const known = new Map(buckets.map((bucket) => [Date.parse(bucket.starts_at), bucket]));
  const hours: Bucket[] = [];
  for (let at = Date.parse(from); at < Date.parse(to); at += HOUR) {
    hours.push(known.get(at) ?? { ...NONE, starts_at: new Date(at).toISOString() });
  }
  return hours;
}

function Numbers({ title, figures }: { title: string; figures: Figures }): JSX.Element {
  const errors = Object.entries(figures.errors);
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <dl class="figures">
        {MEASURES.map(([name, of, shown]) => <div><dt>{name}</dt><dd>{shown(of(figures))}</dd></div>)}
        <div><dt>Wall time</dt><dd>{duration(figures.wall_ms)}</dd></div>
        <div><dt>To and from runtimes</dt><dd>{bytes(figures.bytes_in + figures.bytes_out)}</dd></div>
      </dl>
      {errors.length > 0 && <p>{errors.map(([code, count]) => <span class="badge bad">{code} {count}</span>)}</p>}
    </section>
  );
}

const WIDTH = 720;
const HEIGHT = 180;

function Chart({ hours }: { hours: Bucket[] }): JSX.Element {
  const [chosen, setChosen] = useState(0);
  const [name, of, shown] = MEASURES[chosen]!;
  const most = Math.max(...hours.map(of), Number.MIN_VALUE);
  const step = WIDTH / hours.length;
  const label = (bucket: Bucket): string => new Date(bucket.starts_at).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  return (
    <section aria-label="By the hour">
      <div class="row">
        <h2>By the hour</h2>
        <label class="field inline"><span class="label">Show</span>
          <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
            {MEASURES.map(([each], index) => <option value={index}>{each}</option>)}
          </select></label>
      </div>
      <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT + 34}`} role="img" aria-label={`${name} by the hour, at most ${shown(most)}; the table below has the figures`}>
        <line x1={0} x2={WIDTH} y1={HEIGHT + 10} y2={HEIGHT + 10} />
        <text x={0} y={10}>{shown(most)}</text>
        {hours.map((bucket, index) => {
          const height = (of(bucket) / most) * (HEIGHT - 10);
          return (
            <g>
              <rect x={index * step + 1} width={step - 2} y={HEIGHT + 10 - height} height={height} rx={2}><title>{`${label(bucket)}: ${shown(of(bucket))}`}</title></rect>
              {index % 4 === 0 && <text x={index * step} y={HEIGHT + 28}>{label(bucket)}</text>}
            </g>
          );
        })}
      </svg>
      <details>
        <summary>As a table</summary>
        <table>
          <thead><tr><th scope="col">Hour</th>{MEASURES.map(([each]) => <th scope="col">{each}</th>)}</tr></thead>
          <tbody>
            {hours.filter(({ executions }) => executions > 0).map((bucket) => (
              <tr><th scope="row">{label(bucket)}</th>{MEASURES.map(([, measure, text]) => <td>{text(measure(bucket))}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}
