import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../edge/simulator/physics/random.ts";
import type { TcpProxy } from "../support/tcp-proxy.ts";
import type { CloudWorkers } from "./cloud-workers.ts";

/**
 * What may happen to the cloud side, drawn from one seed:
 *
 *   kill-worker   kill -9 of one of two processes that share partitions and projections, and a new one after a while
 *   kill-both     of both at once: projections and the lake go on from their checkpoints
 *   third         another worker comes and takes partitions from the others, and is killed again
 *   refuse        the database resets every connection for a while: store, checkpoints and projections refuse
 *   freeze        the database does not answer for a while
 *   deaf          what is written arrives, and nobody hears that it did
 */
export const CLOUD_FAULT_KINDS = ["kill-worker", "kill-both", "third", "refuse", "freeze", "deaf"] as const;
export type CloudFaultKind = (typeof CLOUD_FAULT_KINDS)[number];

const PAUSE_MS = { min: 500, max: 2_500 };
const LASTS_MS = { min: 200, max: 2_500 };

/** Plays faults until the signal aborts; each kind comes before any comes again. Gives those that came. */
export async function playCloudFaults(
  seed: number,
  workers: CloudWorkers,
  line: TcpProxy,
  signal: AbortSignal,
): Promise<CloudFaultKind[]> {
  const random = new Random(seed);
  const played: CloudFaultKind[] = [];
  let bag: CloudFaultKind[] = [];
  while (!signal.aborted) {
    if (bag.length === 0) bag = [...CLOUD_FAULT_KINDS];
    const [kind = "refuse"] = bag.splice(random.integerBetween(0, bag.length - 1), 1);
    await delay(random.integerBetween(PAUSE_MS.min, PAUSE_MS.max));
    await strike(kind, random.integerBetween(LASTS_MS.min, LASTS_MS.max), random, workers, line);
    played.push(kind);
  }
  return played;
}

async function strike(
  kind: CloudFaultKind,
  lastsMs: number,
  random: Random,
  workers: CloudWorkers,
  line: TcpProxy,
): Promise<void> {
  const anyone = random.integerBetween(1, 2);
  switch (kind) {
    case "kill-worker":
      await workers.kill(anyone);
      await delay(lastsMs);
      await workers.start(anyone);
      break;
    case "kill-both":
      await Promise.all([workers.kill(1), workers.kill(2)]);
      await delay(lastsMs);
      await Promise.all([workers.start(1), workers.start(2)]);
      break;
    case "third":
      await workers.start(3);
      await delay(lastsMs);
      await workers.kill(3);
      break;
    case "refuse":
    case "freeze":
    case "deaf":
      line.mode = kind === "refuse" ? "reset" : kind;
      await delay(lastsMs);
      line.mode = "pass";
      break;
  }
}
