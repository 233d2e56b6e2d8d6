import { useEffect, useState } from "preact/hooks";
import { capitalized, formatAge, formatAgo, formatClock, formatNumber } from "../format.ts";
import { machineStatusOf } from "../parts/machine-status.ts";
import { SignalTable } from "../parts/signal-table.tsx";
import { Quality } from "../parts/tile.tsx";
import { TrendPanel } from "../parts/trend-panel.tsx";
import type { Store } from "../store.ts";

const SIGNALS_ON_CHART_MAX = 8;
/** A loss is news for as long as the longest trend shows it. */
const GAP_SHOWN_MS = 8 * 3_600_000;

export function Machine({ store, machineId, nowMs }: { store: Store; machineId: string; nowMs: number }) {
  const [chosen, setChosen] = useState<readonly string[] | null>(null);
  useEffect(() => {
    void store.openMachine(machineId);
    return () => store.closeMachine();
  }, [store, machineId]);
  const machine = store.machines.get(machineId);
  // Until this machine is asked for, those of the one that was open before may still be there.
  const signals = store.openMachineId === machineId ? [...store.openSignals.values()] : [];
  if (!machine) {
    if (!store.loaded || (store.openMachineId === machineId && !store.openMissing && signals.length === 0)) {
      return <p class="empty">Loading {machineId} …</p>;
    }
    return (
      <section class="empty">
        <h1>No machine “{machineId}”</h1>
        <p>
          It is not in the log, or no longer in <code>tailstock.yaml</code>. <a href="#/">Go to the floor</a> to see
          those that are.
        </p>
      </section>
    );
  }
  const { word, level, stale, link } = machineStatusOf(machine, store, nowMs);
  const connection = store.connections.get(machine.connectionId);
  const shown =
    chosen ??
    defaultChoice(
      signals,
      machine.keys.map(({ name }) => name),
    );
  const toggle = (name: string) =>
    setChosen(
      shown.includes(name) ? shown.filter((each) => each !== name) : [...shown, name].slice(-SIGNALS_ON_CHART_MAX),
    );
  return (
    <section class={`machine level-${level}${stale ? " stale" : ""}`}>
      <a class="back" href="#/">
        ‹ Floor
      </a>
      <div class="view-head">
        <div>
          <h1>{machine.name}</h1>
          <p class="muted">
            {machine.typeName || "no type"}
            {machine.connectionId && ` · ${machine.connectionId}`}
          </p>
        </div>
        <span class="state">{word}</span>
        <p class="sum num">
          <span class="age">
            {machine.updatedMs === null
              ? "no reading yet"
              : stale
                ? `stale ${formatAge(Math.max(2_000, nowMs - machine.updatedMs))}`
                : `updated ${formatAgo(nowMs - machine.updatedMs)}`}
          </span>
          <Quality machine={machine} />
        </p>
      </div>
      {connection && connection.state !== "connected" && (
        <p class={`notice ${connection.state === "disconnected" ? "alarm" : "warn"}`}>
          <strong>
            {connection.state === "degraded" ? "Partly connected" : word} since {formatClock(connection.sinceMs)}.
          </strong>{" "}
          {connection.detail}
          {connection.hint && <em> {connection.hint}</em>}
        </p>
      )}
      {link === "silent" && (
        <p class="notice warn">
          <strong>The collector has recorded nothing for {formatAge(nowMs - (machine.updatedMs ?? nowMs))}.</strong>{" "}
          Check that it runs: <code>npx tailstock status</code>.
        </p>
      )}
      {machine.lastGap && nowMs - machine.lastGap.toMs < GAP_SHOWN_MS && (
        <p class="notice warn">
          <strong>
            {formatNumber(machine.lastGap.samples)} samples were lost between {formatClock(machine.lastGap.fromMs)} and{" "}
            {formatClock(machine.lastGap.toMs)}.
          </strong>{" "}
          {capitalized(machine.lastGap.detail)}.
        </p>
      )}
      <TrendPanel store={store} machineId={machineId} signals={signals.filter(({ name }) => shown.includes(name))} />
      <SignalTable
        signals={signals}
        decimalsOf={({ name, value, goodValue }) => store.digits.of(machineId, name, value ?? goodValue)}
        chosen={shown}
        onToggle={toggle}
        link={link}
        streamUp={store.streamUp}
        nowMs={nowMs}
        chartFull={shown.length >= SIGNALS_ON_CHART_MAX}
      />
    </section>
  );
}

/** The first key signals that have a number: what most people came for. */
function defaultChoice(
  signals: readonly { name: string; goodValue: unknown }[],
  keys: readonly string[],
): readonly string[] {
  const numeric = signals.filter(({ goodValue }) => typeof goodValue === "number").map(({ name }) => name);
  const named = keys.filter((name) => numeric.includes(name));
  return (named.length > 0 ? named : numeric).slice(0, 3);
}
