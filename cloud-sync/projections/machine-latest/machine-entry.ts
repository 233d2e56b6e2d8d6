import { NewestByEpoch } from "../state/newest-by-epoch.ts";
import type { SignalSet } from "../state/signal-sets.ts";
import { EpochState, type Origin } from "./epoch-state.ts";

/** A machine's log is made anew a few times in its life; of more epochs the oldest are forgotten. */
const EPOCHS_MAX = 8;

export interface Link {
  readonly state: string;
  readonly detail: string;
  readonly factoryId: string;
  readonly deviceId: string;
  readonly enqueuedMs: number;
}

/** All that is known of one machine. */
export class MachineEntry {
  readonly machineId: string;
  readonly epochs = new Map<string, EpochState>();
  /** Epochs that were changed since they were written. */
  readonly changed = new Set<string>();
  /** Epochs that stand in model.machine_epoch, and those that have to go from there. */
  readonly besides = new Set<string>();
  links = new NewestByEpoch<Link>();

  constructor(machineId: string) {
    this.machineId = machineId;
  }

  /** Roughly, in elements of arrays. */
  get weight(): number {
    let weight = 50;
    for (const { seqs } of this.epochs.values()) weight += 20 + seqs.length * 6;
    return weight;
  }

  /** The state of an epoch, made when there is none; it counts as changed. */
  epoch(epoch: string, set: SignalSet): EpochState {
    let state = this.epochs.get(epoch);
    if (state === undefined) {
      state = new EpochState(epoch, set);
      this.epochs.set(epoch, state);
    } else state.follow(set);
    this.changed.add(epoch);
    return state;
  }

  /** The epoch whose newest event is the latest; undefined when nothing is known but a link. */
  current(): EpochState | undefined {
    return this.#ordered()[0];
  }

  /** Forgets the oldest of too many epochs. */
  bound(): void {
    for (const { epoch } of this.#ordered().slice(EPOCHS_MAX)) {
      this.epochs.delete(epoch);
      this.changed.delete(epoch);
    }
  }

  /** Where the row says who it belongs to. */
  origin(): Origin & { readonly eventMs: number } {
    const current = this.current();
    if (current !== undefined) return current;
    const link = this.links.newest();
    return {
      factoryId: link?.value.factoryId ?? "",
      deviceId: link?.value.deviceId ?? "",
      enqueuedMs: link?.value.enqueuedMs ?? 0,
      eventMs: link?.atMs ?? 0,
    };
  }

  #ordered(): EpochState[] {
    return [...this.epochs.values()].sort((a, b) => b.keyMs - a.keyMs || (a.epoch < b.epoch ? 1 : -1));
  }
}
