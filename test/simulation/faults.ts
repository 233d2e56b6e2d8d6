import { Random } from "../../edge/simulator/physics/random.ts";

/**
 * The fault model. What may happen to a box and its hub, drawn from one seed:
 *
 *   cut        connections are reset, and new ones refused
 *   freeze     sockets stay open, bytes wait and go on afterwards
 *   blackhole  bytes are swallowed and nobody answers; the connections are dead afterwards
 *   deaf       what the box sends arrives, what the hub answers does not: everything under way is there twice afterwards
 *   delay      every piece comes late
 *   kill-uplink, kill-hub   kill -9, and a new process after a while
 *   clock-uplink, clock-factory   the wall clock of that process jumps, and stays there
 *
 * Not modelled here: the disk (the log's own tests do that), and a hub that forgets what it has acknowledged.
 */
export const FAULT_KINDS = [
  "cut",
  "freeze",
  "blackhole",
  "deaf",
  "delay",
  "kill-uplink",
  "kill-hub",
  "clock-uplink",
  "clock-factory",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** How long the line or the process is away; 0 for a clock. */
  readonly lastsMs: number;
  /** Jump of a clock, either way. */
  readonly jumpMs: number;
}

const PAUSE_MS = { min: 300, max: 3_500 };
const LASTS_MS = { min: 200, max: 5_000 };
/** A hub accepts tokens for an hour: within that a wrong clock is only wrong, beyond it is a fault with tests of its own. */
const JUMP_MS_MAX = 25 * 60_000;

/** Faults one after the other, each over before the next begins, in which every kind comes about equally often. */
export function faultsOf(seed: number, durationMs: number): Fault[] {
  const random = new Random(seed);
  const faults: Fault[] = [];
  let bag: FaultKind[] = [];
  for (let atMs = PAUSE_MS.max; ; ) {
    if (bag.length === 0) bag = [...FAULT_KINDS];
    const [kind = "cut"] = bag.splice(random.integerBetween(0, bag.length - 1), 1);
    const isClock = kind.startsWith("clock");
    const lastsMs = isClock ? 0 : random.integerBetween(LASTS_MS.min, LASTS_MS.max);
    if (atMs + lastsMs > durationMs) return faults;
    faults.push({ atMs, kind, lastsMs, jumpMs: isClock ? random.integerBetween(-JUMP_MS_MAX, JUMP_MS_MAX) : 0 });
    atMs += lastsMs + random.integerBetween(PAUSE_MS.min, PAUSE_MS.max);
  }
}
