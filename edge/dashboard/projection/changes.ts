import type { LatestSample } from "./machine-entry.ts";

/** What one batch of events changed: the input of the live stream. */
export class Changes {
  readonly samples = new Map<string, LatestSample[]>();
  /** Machines whose description, state or presence changed. */
  readonly machines = new Set<string>();
  readonly connections = new Set<string>();

  addSample(machineId: string, sample: LatestSample): void {
    const known = this.samples.get(machineId);
    if (known) known.push(sample);
    else this.samples.set(machineId, [sample]);
  }

  get isEmpty(): boolean {
    return this.samples.size === 0 && this.machines.size === 0 && this.connections.size === 0;
  }
}
