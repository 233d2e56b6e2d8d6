import { EVENT_TYPES, type EventType } from "../../../cloud-sync/contract/event.ts";
import { MODES, numberFor } from "../../../cloud-sync/contract/rollup/value-modes.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { ByteReader } from "../byte-reader.ts";
import { MachineState, NEW_SIGNAL, NEW_STATUS, SignalState, Value } from "./chain-state.ts";
import { EventFlag, type SectionHead, TELEMETRY } from "./chunk.ts";
import { readOther } from "./values.ts";

/** Takes what a section holds, in order. */
export interface SectionSink {
  /** `json` is the data of an event that is not telemetry, else null; so are ids that the event does not have. */
  event(
    seq: number,
    type: EventType,
    timeMs: number,
    entityId: string | null,
    causedBy: string | null,
    json: string | null,
  ): void;
  /** A sample of the event before; NaN for a time that is null. `signal` counts from 0 in the order of first use. */
  sample(
    signal: number,
    value: SampleValue,
    statusCode: number,
    sourceMs: number,
    serverMs: number,
    receivedMs: number,
  ): void;
}

/** Reading side of a chain for one machine (chain-state.ts): sections must come in their order, each once. */
export class MachineDecoder {
  readonly #state: MachineState;

  constructor(machineId: string) {
    this.#state = new MachineState(machineId);
  }

  /** Name of a signal by its number in the chain. */
  signalName(signal: number): string {
    return this.#state.signals[signal]?.name ?? "";
  }

  /** @throws RangeError when the bytes are not what follows in this chain */
  section(raw: Uint8Array, section: SectionHead, sink: SectionSink): void {
    const control = new ByteReader(raw, section.controlStart, section.controlEnd);
    const values = new ByteReader(raw, section.valuesStart, section.valuesEnd);
    const state = this.#state;
    for (let i = 0; i < section.events; i++) {
      const flags = control.u8();
      const type = EVENT_TYPES[flags & EventFlag.Type];
      if (type === undefined) throw new RangeError(`event type ${flags & EventFlag.Type}`);
      const timeMs = flags & EventFlag.TimeFloat ? values.f64() : state.lastTimeMs + control.zigzag();
      state.lastTimeMs = timeMs;
      const entityId = flags & EventFlag.EntityId ? values.text() : null;
      const causedBy = flags & EventFlag.CausedBy ? values.text() : null;
      const isTelemetry = (flags & EventFlag.Type) === TELEMETRY;
      const json = isTelemetry ? null : values.text();
      sink.event(section.firstSeq + i, type, timeMs, entityId, causedBy, json);
      if (isTelemetry) this.#samples(control, values, timeMs, sink);
    }
  }

  #samples(control: ByteReader, values: ByteReader, baseMs: number, sink: SectionSink): void {
    const state = this.#state;
    const count = control.varint();
    if (count > control.left) throw new RangeError("more samples than the section holds");
    state.beginEvent();
    let previous: SignalState | undefined;
    for (let i = 0; i < count; i++) {
      const flags = control.u8();
      let index = previous === undefined ? state.first : previous.next;
      if (flags & NEW_SIGNAL) {
        index = control.varint();
        if (previous === undefined) state.first = index;
        else previous.next = index;
        if (index === state.signals.length) state.signals.push(new SignalState(values.text()));
      }
      const signal = state.signals[index];
      if (signal === undefined) throw new RangeError(`signal ${index} is new to this chain`);
      const form = (flags >> 1) & 7;
      if (form !== Value.Same) readValue(values, signal, form);
      if (flags & NEW_STATUS) signal.statusCode = values.u32();
      const times = flags >> 5;
      if (times === 1) readTimes(control, values, state, baseMs);
      else if (times > 1) state.lastSet = times - 2;
      const set = state.lastSet;
      if (set < 0 || set >= state.sets) throw new RangeError("a set of times that was not given");
      sink.sample(
        index,
        signal.value as SampleValue,
        signal.statusCode,
        state.sourceMs[set] as number,
        state.serverMs[set] as number,
        state.receivedMs[set] as number,
      );
      previous = signal;
    }
  }
}

function readValue(values: ByteReader, signal: SignalState, form: number): void {
  switch (form) {
    case Value.Mode: {
      const mode = values.u8();
      if (mode >= MODES) throw new RangeError(`number mode ${mode}`);
      signal.mode = mode;
      signal.k = values.zigzag();
      signal.value = numberFor(mode, signal.k);
      return;
    }
    case Value.Delta:
      if (signal.mode < 0) throw new RangeError("a distance without a beginning");
      signal.k += values.zigzag();
      signal.value = numberFor(signal.mode, signal.k);
      return;
    case Value.Float64:
      signal.value = values.f64();
      return;
    case Value.Float32:
      signal.value = values.f32();
      return;
    case Value.BigDelta:
      if (typeof signal.value !== "bigint") throw new RangeError("a distance to no integer");
      signal.value += BigInt(values.zigzag());
      return;
    case Value.Toggle:
      signal.value = signal.value !== true;
      return;
    default:
      signal.value = readOther(values);
  }
}

function readTimes(control: ByteReader, values: ByteReader, state: MachineState, baseMs: number): void {
  const forms = control.u8();
  const read = (form: number, none: number): number => {
    if (form === 0) return none;
    return form === 1 ? baseMs + values.zigzag() : values.f64();
  };
  const sourceMs = read(forms & 3, Number.NaN);
  const serverForm = (forms >> 2) & 3;
  const serverMs = serverForm === 3 ? sourceMs : read(serverForm, Number.NaN);
  const receivedMs = read((forms >> 4) & 3, baseMs);
  state.takeSet(sourceMs, serverMs, receivedMs);
}
