import { ByteWriter } from "../../../cloud-sync/contract/block/bytes.ts";
import type { NewEvent, TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import { EVENT_TYPES } from "../../../cloud-sync/contract/event.ts";
import { kOf, modeOf } from "../../../cloud-sync/contract/rollup/value-modes.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { MachineState, NEW_SIGNAL, NEW_STATUS, SignalState, Value } from "./chain-state.ts";
import { EventFlag, type SectionHead } from "./chunk.ts";
import { isSameValue, writeOther } from "./values.ts";

const TYPE_CODES = new Map(EVENT_TYPES.map((type, code) => [type, code]));
/** Beyond this a distance is written as it is: varints hold 2^53 after zigzag. */
const DISTANCE_MAX = 2 ** 51;
const BIG_DISTANCE_MAX = 2n ** 51n;

class EncoderSignal extends SignalState {
  /** How often in a row a decimal form was looked for in vain. */
  misses = 0;
}

class EncoderMachine extends MachineState<EncoderSignal> {
  readonly index: number;
  readonly indexOf = new Map<string, number>();

  constructor(machineId: string, index: number) {
    super(machineId);
    this.index = index;
  }
}

/**
 * Writing side of a chain (chain-state.ts). What it has taken belongs to the chain: when the chunk does not reach the
 * file, the chain is over, and a new one begins with the next chunk.
 */
export class ChainEncoder {
  readonly #machines = new Map<string, EncoderMachine>();
  /** Control bytes and values go into streams of their own: they compress better apart. */
  readonly control = new ByteWriter(16_384);
  readonly values = new ByteWriter(32_768);
  #sections: SectionHead[] = [];
  samples = 0;

  /** The sections since the last call; the streams begin anew with the next event. */
  takeSections(): SectionHead[] {
    const sections = this.#sections;
    this.#sections = [];
    return sections;
  }

  /** Of the chunk so far. */
  get bytes(): number {
    return this.control.length + this.values.length;
  }

  beginChunk(): void {
    this.control.clear();
    this.values.clear();
    this.samples = 0;
  }

  /** The next event, in the order of the offset. */
  add(event: NewEvent, seq: number): void {
    const machine = this.#machine(event.machineId);
    let section = this.#sections.at(-1);
    if (section?.machine !== machine.index || section.firstSeq + section.events !== seq) {
      section = {
        machine: machine.index,
        machineId: machine.machineId,
        isNew: machine.lastSeq === 0,
        firstSeq: seq,
        skipped: seq - machine.lastSeq - 1,
        events: 0,
        rare: 0,
        controlStart: this.control.length,
        controlEnd: 0,
        valuesStart: this.values.length,
        valuesEnd: 0,
      };
      this.#sections.push(section);
    }
    section.events++;
    machine.lastSeq = seq;
    this.#event(machine, event, section);
    section.controlEnd = this.control.length;
    section.valuesEnd = this.values.length;
  }

  #machine(machineId: string): EncoderMachine {
    let machine = this.#machines.get(machineId);
    if (!machine) {
      machine = new EncoderMachine(machineId, this.#machines.size);
      this.#machines.set(machineId, machine);
    }
    return machine;
  }

  #event(machine: EncoderMachine, event: NewEvent, section: SectionHead): void {
    const { control, values } = this;
    const distanceMs = event.timeMs - machine.lastTimeMs;
    const isWhole =
      Number.isInteger(distanceMs) &&
      Math.abs(distanceMs) < DISTANCE_MAX &&
      Object.is(machine.lastTimeMs + distanceMs, event.timeMs);
    control.u8(
      (TYPE_CODES.get(event.type) as number) |
        (event.entityId === undefined ? 0 : EventFlag.EntityId) |
        (event.causedBy === undefined ? 0 : EventFlag.CausedBy) |
        (isWhole ? 0 : EventFlag.TimeFloat),
    );
    if (isWhole) control.zigzag(distanceMs);
    else values.f64(event.timeMs);
    machine.lastTimeMs = event.timeMs;
    if (event.entityId !== undefined) values.text(event.entityId);
    if (event.causedBy !== undefined) values.text(event.causedBy);
    if (event.type !== "telemetry") {
      section.rare++;
      values.text(JSON.stringify(event.data));
      return;
    }
    const { samples } = event.data;
    control.varint(samples.length);
    this.samples += samples.length;
    machine.beginEvent();
    let previous: EncoderSignal | undefined;
    for (let i = 0; i < samples.length; i++) {
      previous = this.#sample(machine, samples[i] as TelemetrySample, event.timeMs, previous);
    }
  }

  #sample(
    machine: EncoderMachine,
    sample: TelemetrySample,
    baseMs: number,
    previous: EncoderSignal | undefined,
  ): EncoderSignal {
    const expected = previous === undefined ? machine.first : previous.next;
    let index = expected;
    if (expected < 0 || machine.signals[expected]?.name !== sample.signal) {
      index = machine.indexOf.get(sample.signal) ?? machine.signals.length;
      if (previous === undefined) machine.first = index;
      else previous.next = index;
    }
    const { control, values } = this;
    let signal = machine.signals[index];
    const isNew = signal === undefined;
    if (signal === undefined) {
      signal = new EncoderSignal(sample.signal);
      machine.signals.push(signal);
      machine.indexOf.set(sample.signal, index);
    }
    const form = this.#form(signal, sample.value);
    const times = setOf(machine, sample);
    const hasStatus = sample.statusCode !== signal.statusCode;
    control.u8((index === expected ? 0 : NEW_SIGNAL) | (form << 1) | (hasStatus ? NEW_STATUS : 0) | (times << 5));
    if (index !== expected) {
      control.varint(index);
      if (isNew) values.text(sample.signal);
    }
    if (form !== Value.Same) this.#value(signal, sample.value, form);
    if (hasStatus) {
      values.u32(sample.statusCode);
      signal.statusCode = sample.statusCode;
    }
    if (times === 1) this.#times(sample, baseMs);
    return signal;
  }

  #form(signal: EncoderSignal, value: SampleValue): number {
    const last = signal.value;
    if (typeof value === "number") {
      if (Object.is(value, last)) return Value.Same;
      if (signal.mode >= 0) {
        this.#k = kOf(signal.mode, value);
        if (!Number.isNaN(this.#k)) return Value.Delta;
      }
      // A signal without any decimal form is asked again only now and then.
      const mode = signal.misses > 4 && signal.misses % 64 !== 0 ? -1 : modeOf(value, signal.mode + 1);
      signal.misses = mode >= 0 ? 0 : signal.misses + 1;
      if (mode >= 0) {
        signal.mode = mode;
        this.#k = kOf(mode, value);
        return Value.Mode;
      }
      return Math.fround(value) === value ? Value.Float32 : Value.Float64;
    }
    if (isSameValue(last, value)) return Value.Same;
    if (typeof value === "boolean") return typeof last === "boolean" ? Value.Toggle : Value.Other;
    if (typeof value === "bigint" && typeof last === "bigint") {
      const distance = value - last;
      if (distance < BIG_DISTANCE_MAX && distance > -BIG_DISTANCE_MAX) return Value.BigDelta;
    }
    return Value.Other;
  }

  /** k of the value that #form looked at last. */
  #k = 0;

  #value(signal: EncoderSignal, value: SampleValue, form: number): void {
    const { values } = this;
    if (form === Value.Delta) {
      values.zigzag(this.#k - signal.k);
      signal.k = this.#k;
    } else if (form === Value.Mode) {
      values.u8(signal.mode);
      values.zigzag(this.#k);
      signal.k = this.#k;
    } else if (form === Value.Float32) values.f32(value as number);
    else if (form === Value.Float64) values.f64(value as number);
    else if (form === Value.BigDelta) values.zigzag(Number((value as bigint) - (signal.value as bigint)));
    else if (form === Value.Other) writeOther(values, value);
    signal.value = value;
  }

  #times(sample: TelemetrySample, baseMs: number): void {
    const { sourceTimestampMs: source, serverTimestampMs: server, receivedTimestampMs: received } = sample;
    const sourceForm = timeForm(source, baseMs);
    const serverForm = server !== null && Object.is(server, source) ? 3 : timeForm(server, baseMs);
    const receivedForm = Object.is(received, baseMs) ? 0 : timeForm(received, baseMs);
    this.control.u8(sourceForm | (serverForm << 2) | (receivedForm << 4));
    this.#time(sourceForm, source, baseMs);
    this.#time(serverForm, server, baseMs);
    this.#time(receivedForm, received, baseMs);
  }

  #time(form: number, timeMs: number | null, baseMs: number): void {
    if (form === 1) this.values.zigzag((timeMs as number) - baseMs);
    else if (form === 2) this.values.f64(timeMs as number);
  }
}

function timeForm(timeMs: number | null, baseMs: number): number {
  if (timeMs === null) return 0;
  const distanceMs = timeMs - baseMs;
  const isWhole =
    Number.isInteger(distanceMs) && Math.abs(distanceMs) < DISTANCE_MAX && Object.is(baseMs + distanceMs, timeMs);
  return isWhole ? 1 : 2;
}

/** Number of the sample's set of times: 0 for that of the sample before, 1 for a new one, which is remembered. */
function setOf(machine: EncoderMachine, sample: TelemetrySample): number {
  const source = sample.sourceTimestampMs ?? Number.NaN;
  const server = sample.serverTimestampMs ?? Number.NaN;
  const received = sample.receivedTimestampMs;
  const { sourceMs, serverMs, receivedMs, sets, lastSet } = machine;
  const fits = (set: number): boolean =>
    Object.is(receivedMs[set], received) && Object.is(sourceMs[set], source) && Object.is(serverMs[set], server);
  if (lastSet >= 0 && fits(lastSet)) return 0;
  for (let set = 0; set < sets; set++) {
    if (!fits(set)) continue;
    machine.lastSet = set;
    return set + 2;
  }
  machine.takeSet(source, server, received);
  return 1;
}
