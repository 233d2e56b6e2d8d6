import { setTimeout as delay } from "node:timers/promises";

/** Waits until the condition gives something other than undefined or false; fails with `what` after the time. */
export async function until<T>(what: string, condition: () => T | undefined | false, withinMs = 20_000): Promise<T> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(20);
  }
}
