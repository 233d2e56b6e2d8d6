import { useEffect, useState } from "preact/hooks";
import type { Trend } from "../../../../services/query/trends/schema.ts";
import type { SeriesKey } from "./chosen.ts";
import { type Loaded, useData } from "./use-data.ts";

const HOUR_MS = 3_600_000;
/** A trend that ends now moves on so often. */
const MOVE_MS = 30_000;

/** @param endMs null: now, moving on */
export function useTrend(chosen: readonly SeriesKey[], hours: number, endMs: number | null): Loaded<Trend> {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    setNowMs(Date.now());
    if (endMs !== null) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) setNowMs(Date.now());
    }, MOVE_MS);
    return () => window.clearInterval(timer);
  }, [endMs, hours]);
  const toMs = Math.round(endMs ?? nowMs);
  const loaded = useData<Trend>(chosen.length === 0 ? null : "/api/query/trends", {
    machine: chosen.map(({ machineId }) => machineId),
    signal: chosen.map(({ signal }) => signal),
    fromMs: Math.max(0, toMs - hours * HOUR_MS),
    toMs,
  });
  // While the next one is on its way the last one of the same signals stays.
  const key = JSON.stringify([chosen, hours]);
  const [last, setLast] = useState<{ key: string; trend: Trend } | undefined>();
  const { data } = loaded;
  useEffect(() => {
    if (data !== undefined) setLast({ key, trend: data });
  }, [data]);
  return { ...loaded, data: data ?? (last?.key === key ? last.trend : undefined) };
}
