import { useEffect, useRef, useState } from "preact/hooks";
import type { SignalView } from "../../../schemas/views.ts";
import { getTrend } from "../api.ts";
import { formatClock, formatNumber } from "../format.ts";
import { freshnessOf, linkWordOf } from "../staleness.ts";
import type { Store } from "../store.ts";
import { TrendChart } from "./trend-chart.ts";
import { chartNumber, TrendData } from "./trend-data.ts";

const SPANS = [
  { title: "5 min", spanMs: 300_000 },
  { title: "1 h", spanMs: 3_600_000 },
  { title: "8 h", spanMs: 28_800_000 },
] as const;
const POINTS = 1_800;
const RETRY_MS = 2_000;
const DRAW_EVERY_MS = 100;

interface TrendPanelProps {
  readonly store: Store;
  readonly machineId: string;
  readonly signals: readonly SignalView[];
}

/** Trends of the chosen signals, live: the right edge is now, until somebody looks back. */
export function TrendPanel({ store, machineId, signals }: TrendPanelProps) {
  const [spanMs, setSpanMs] = useState<number>(SPANS[0].spanMs);
  const [endMs, setEndMs] = useState<number | null>(null);
  const [problem, setProblem] = useState("");
  const [points, setPoints] = useState(0);
  const host = useRef<HTMLDivElement>(null);
  const names = signals.map(({ name }) => name).join(",");
  const signalsNow = useRef(signals);
  signalsNow.current = signals;

  useEffect(() => {
    const element = host.current;
    if (!element || names === "") return;
    const chosen = signalsNow.current;
    const data = new TrendData();
    const chart = new TrendChart(element, chosen, (signal, value) =>
      `${formatNumber(value, store.digits.of(machineId, signal.name, value))} ${signal.unit}`.trim(),
    );
    const gone = new AbortController();
    let dirty = true;
    let streamWasUp = store.streamUp;
    let timer: ReturnType<typeof setTimeout> | undefined;
    data.choose(names.split(","));
    const load = async () => {
      clearTimeout(timer);
      const toMs = endMs ?? store.nowMs() + 1;
      try {
        data.load(await getTrend(machineId, names.split(","), toMs - spanMs, toMs, POINTS, gone.signal));
        setProblem("");
        setPoints(data.points);
        dirty = true;
      } catch (error) {
        if (gone.signal.aborted) return;
        setProblem(error instanceof Error ? error.message : "the trend could not be read");
        timer = setTimeout(() => void load(), RETRY_MS);
      }
    };
    void load();
    const unwatch = store.watchSamples((samples) => {
      if (endMs !== null) return;
      if (data.append(samples)) dirty = true;
      if (data.isOverfull) void load();
    });
    // The right edge moves with the clock; a second of eight hours is less than a pixel, so that drawing it can wait.
    const moveMs = Math.max(DRAW_EVERY_MS, spanMs / 2_000);
    let drawnMs = 0;
    const heldValueOf = (name: string): number | null => {
      const signal = signalsNow.current.find((each) => each.name === name);
      const machine = store.machines.get(machineId);
      if (!signal || signal.polled || !machine) return null;
      const link = linkWordOf(machine, store.nowMs());
      return freshnessOf(signal, link, store.streamUp, store.nowMs()) === "fresh" ? chartNumber(signal.value) : null;
    };
    const draw = setInterval(() => {
      if (store.streamUp && !streamWasUp) void load();
      streamWasUp = store.streamUp;
      const nowMs = store.nowMs();
      if (!dirty && (endMs !== null || nowMs - drawnMs < moveMs)) return;
      dirty = false;
      drawnMs = nowMs;
      const held = (name: string) => (endMs === null ? heldValueOf(name) : null);
      chart.draw(data, (endMs ?? nowMs) - spanMs, endMs ?? nowMs, held);
    }, DRAW_EVERY_MS);
    return () => {
      gone.abort();
      clearTimeout(timer);
      clearInterval(draw);
      unwatch();
      chart.destroy();
    };
  }, [store, machineId, names, spanMs, endMs]);

  const shift = (direction: -1 | 1) => {
    const next = (endMs ?? store.nowMs()) + (direction * spanMs) / 2;
    setEndMs(next >= store.nowMs() ? null : next);
  };
  return (
    <section class="trend" aria-labelledby="trend-title">
      <div class="table-head">
        <h2 id="trend-title">Trend</h2>
        <fieldset class="segments" aria-label="Span">
          {SPANS.map(({ title, spanMs: each }) => (
            <button type="button" key={title} aria-pressed={each === spanMs} onClick={() => setSpanMs(each)}>
              {title}
            </button>
          ))}
        </fieldset>
        <fieldset class="segments" aria-label="Position">
          <button type="button" aria-label="Earlier" onClick={() => shift(-1)}>
            ‹
          </button>
          <button type="button" aria-label="Later" disabled={endMs === null} onClick={() => shift(1)}>
            ›
          </button>
          <button type="button" aria-pressed={endMs === null} onClick={() => setEndMs(null)}>
            Live
          </button>
        </fieldset>
        {endMs !== null && <span class="muted num">until {formatClock(endMs)}</span>}
      </div>
      {signals.length === 0 ? (
        <p class="empty">Tick a signal in the table below to see its trend here.</p>
      ) : (
        <div
          class="chart"
          ref={host}
          data-points={points}
          role="img"
          aria-label={`Trend of ${signals.map(({ title }) => title).join(", ")}`}
        />
      )}
      {problem !== "" && <p class="notice warn">The past could not be read: {problem}. Trying again.</p>}
    </section>
  );
}
