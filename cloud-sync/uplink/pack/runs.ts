import type { StoredEvent } from "../../contract/event.ts";
import type { Run } from "../../contract/frame/bundle.ts";

/** Of a machine's signals so many have to be known to a family for it to belong there. */
const KIN_SHARE = 0.5;
/** So many events of a run are looked at for its signals. */
const LOOKED_AT_EVENTS = 64;

/** Events of any machines in the order of offsets, as runs of one epoch and machine without holes. */
export function runsOf(events: Iterable<StoredEvent>): Run[] {
  const runs: [StoredEvent, ...StoredEvent[]][] = [];
  const open = new Map<string, [StoredEvent, ...StoredEvent[]]>();
  for (const event of events) {
    const run = open.get(event.machineId);
    const last = run?.at(-1);
    if (run !== undefined && last?.epoch === event.epoch && last.seq + 1 === event.seq) {
      run.push(event);
      continue;
    }
    const next: [StoredEvent, ...StoredEvent[]] = [event];
    open.set(event.machineId, next);
    runs.push(next);
  }
  return runs;
}

/** Runs of machines that have about the same signals stand together, so that they share names and columns. */
export function familiesOf(runs: readonly Run[]): Run[][] {
  const families: { readonly signals: Set<string>; readonly runs: Run[] }[] = [];
  const sized = runs.map((run) => ({ run, signals: signalsOf(run) })).sort((a, b) => b.signals.size - a.signals.size);
  for (const { run, signals } of sized) {
    let best: { readonly signals: Set<string>; readonly runs: Run[] } | undefined;
    let bestShare = signals.size === 0 ? -1 : KIN_SHARE;
    for (const family of families) {
      let shared = 0;
      for (const signal of signals) if (family.signals.has(signal)) shared++;
      const share = signals.size === 0 ? 0 : shared / signals.size;
      if (share <= bestShare && !(share === bestShare && best === undefined && share > 0)) continue;
      [best, bestShare] = [family, share];
    }
    if (best === undefined) families.push({ signals, runs: [run] });
    else {
      best.runs.push(run);
      for (const signal of signals) best.signals.add(signal);
    }
  }
  return families.map((family) => family.runs);
}

function signalsOf(run: Run): Set<string> {
  const signals = new Set<string>();
  for (const event of run.slice(0, LOOKED_AT_EVENTS)) {
    if (event.type === "telemetry") for (const { signal } of event.data.samples) signals.add(signal);
  }
  return signals;
}
