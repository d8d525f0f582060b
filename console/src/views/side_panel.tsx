// The tabs beside the script: run it, its examples, its settings.

import type { JSX } from 'preact';
import type { ServiceError } from '../api';
import type { GoTo } from '../result';
import type { Definition, FunctionDetail } from '../types';
import { ExamplesPanel } from './examples_panel';
import { RunPanel } from './run_panel';
import { SettingsPanel } from './settings_panel';

const PANELS = ['Run', 'Examples', 'Settings'] as const;
export type Panel = (typeof PANELS)[number];

interface Side {
  language: string;
  detail: FunctionDetail | null;
  definition: Definition;
  set: (part: Partial<Definition>) => void;
  panel: Panel;
  show: (panel: Panel) => void;
  /** Counts the wishes of the keyboard to run. */
  asked: number;
  failed: (error: ServiceError | null) => void;
  goTo: GoTo;
}

export function SidePanel({ panel, show, set, asked, failed, goTo, ...work }: Side): JSX.Element {
  const { examples } = work.definition;
  const own = work.detail?.type !== 'predefined';
  const place = (each: Panel) => ({ role: 'tabpanel', id: `panel-${each}`, 'aria-labelledby': `tab-${each}`, hidden: panel !== each }) as const;
  return (
    <section class="side" aria-label={panel}>
      <div class="tabs" role="tablist" aria-label="What to do with it" onKeyDown={(event) => own && arrow(event, panel, show)}>
        {(own ? PANELS : PANELS.slice(0, 1)).map((each) => (
          <button type="button" role="tab" id={`tab-${each}`} aria-controls={`panel-${each}`} aria-selected={panel === each}
            tabIndex={panel === each ? 0 : -1} onClick={() => show(each)}>{each}</button>
        ))}
      </div>
      <div {...place('Run')}>
        <RunPanel {...work} asked={asked} failed={failed} goTo={goTo} keep={(example) => set({ examples: [...examples, example] })} />
      </div>
      {own && <div {...place('Examples')}><ExamplesPanel {...work} set={(changed) => set({ examples: changed })} /></div>}
      {own && <div {...place('Settings')}><SettingsPanel key={work.detail?.version} {...work} set={set} /></div>}
    </section>
  );
}

/** The arrow keys move between the tabs, as they do everywhere. */
function arrow(event: KeyboardEvent, now: Panel, show: (panel: Panel) => void): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = PANELS[(PANELS.indexOf(now) + step + PANELS.length) % PANELS.length]!;
  show(next);
  document.getElementById(`tab-${next}`)?.focus();
}
