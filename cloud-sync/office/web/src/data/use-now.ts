import { useEffect, useState } from "preact/hooks";

const TICK_MS = 1_000;

/** The time, once a second: ages on the page stand still no longer. UTC epoch ms. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNowMs(Date.now()), TICK_MS);
    return () => window.clearInterval(timer);
  }, []);
  return nowMs;
}
