import { MESSAGE_BYTES_MAX, UNIT_BYTES } from "../ports.ts";
import { PRICE_CLASSES, type PriceClass } from "./price-classes.ts";

const DAY_MS = 86_400_000;
/** Properties, ids and the frame's own head, in each message. */
export const MESSAGE_OVERHEAD_BYTES = 300;

/** What is sent in a day. */
export interface DailyLoad {
  readonly readings: number;
  readonly messages: number;
  readonly bytes: number;
  /** Of 4 KB. */
  readonly units: number;
  /** Of 0.5 KB, by which the free class is metered. */
  readonly smallUnits: number;
}

export interface ClassNeed {
  readonly name: PriceClass["name"];
  readonly unitsNeeded: number;
  readonly usdPerMonth: number;
  /** Whether one hub may have so many units. */
  readonly fits: boolean;
  readonly hasCommands: boolean;
}

export interface LiveStream {
  readonly readingsPerSecond: number;
  /** Packed as for this latency; without MESSAGE_OVERHEAD_BYTES. */
  readonly bytesPerReading: number;
  readonly latencyMs: number;
  /** Messages of the priority lane, each one unit. */
  readonly priorityMessagesPerDay: number;
}

/** What a steady stream of readings comes to: one message each latency, more where it is larger than a message may be. */
export function loadOf(stream: LiveStream): DailyLoad {
  const { readingsPerSecond, bytesPerReading, latencyMs, priorityMessagesPerDay } = stream;
  const windows = readingsPerSecond > 0 ? DAY_MS / latencyMs : 0;
  const bytes = (readingsPerSecond * latencyMs * bytesPerReading) / 1_000;
  const bodyMax = MESSAGE_BYTES_MAX - MESSAGE_OVERHEAD_BYTES;
  const messages = Math.max(1, Math.ceil(bytes / bodyMax));
  const each = bytes / messages + MESSAGE_OVERHEAD_BYTES;
  const metered = (meterBytes: number): number => windows * messages * Math.ceil(each / meterBytes);
  const priorityBytes = priorityMessagesPerDay * MESSAGE_OVERHEAD_BYTES * 2;
  return rounded({
    readings: (readingsPerSecond * DAY_MS) / 1_000,
    messages: windows * messages + priorityMessagesPerDay,
    bytes: windows * messages * each + priorityBytes,
    units: metered(UNIT_BYTES) + priorityMessagesPerDay,
    smallUnits: metered(512) + 2 * priorityMessagesPerDay,
  });
}

/** What was measured over a span, for a day. */
export function loadOfMeasured(measured: {
  readonly messages: number;
  readonly units: number;
  readonly bytes: number;
  readonly samples: number;
  readonly spanMs: number;
}): DailyLoad {
  const days = measured.spanMs / DAY_MS;
  const { messages, units, bytes, samples } = measured;
  // How each message was spread over its last half kilobyte is not known: on average it is half used.
  const smallUnits = bytes / 512 + messages / 2;
  return rounded({
    readings: samples / days,
    messages: messages / days,
    bytes: bytes / days,
    units: units / days,
    smallUnits: smallUnits / days,
  });
}

/** What each price class would need for it. */
export function classNeeds({ units, smallUnits }: Pick<DailyLoad, "units" | "smallUnits">): ClassNeed[] {
  return PRICE_CLASSES.map(({ name, unitsPerDay, meterBytes, usdPerMonth, unitsMax, hasCommands }) => {
    const unitsNeeded = Math.max(1, Math.ceil((meterBytes < UNIT_BYTES ? smallUnits : units) / unitsPerDay));
    return { name, unitsNeeded, usdPerMonth: unitsNeeded * usdPerMonth, fits: unitsNeeded <= unitsMax, hasCommands };
  });
}

/** The cheapest class that fits and lets the cloud give commands; undefined when even the largest hub is too small. */
export function cheapestOf(needs: readonly ClassNeed[]): ClassNeed | undefined {
  return needs
    .filter(({ fits, hasCommands }) => fits && hasCommands)
    .reduce<ClassNeed | undefined>(
      (best, each) => (best === undefined || each.usdPerMonth < best.usdPerMonth ? each : best),
      undefined,
    );
}

/** One message for each reading: what many do, and what packing saves. */
export function loadOfSingles(readings: number): DailyLoad {
  return rounded({
    readings,
    messages: readings,
    bytes: readings * MESSAGE_OVERHEAD_BYTES,
    units: readings,
    smallUnits: readings,
  });
}

function rounded(load: DailyLoad): DailyLoad {
  const { readings, messages, bytes, units, smallUnits } = load;
  return {
    readings: Math.round(readings),
    messages: Math.ceil(messages),
    bytes: Math.round(bytes),
    units: Math.ceil(units),
    smallUnits: Math.ceil(smallUnits),
  };
}
