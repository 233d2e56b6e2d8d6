import { Command } from "commander";
import {
  EVENT_TYPES,
  type EventType,
  type StoredEvent,
  type TelemetrySample,
} from "../../../cloud-sync/contract/event.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { severityOf, statusName } from "../../kernel/status-code.ts";
import type { LogReader } from "../../log/event-log.ts";
import type { Cli } from "../cli.ts";
import { parseCount, parseSince } from "../duration.ts";
import { type LogOptions, openFoundLog, withLogOptions } from "../find-log.ts";
import { resolveMachine } from "../log-view.ts";
import { harmless, timeText, valueText } from "../text.ts";

const BATCH_EVENTS = 500;
/** Without --since, the newest lines of at most this many events are shown before following. */
const BACK_EVENTS_MAX = 2_000;
const LINES_MAX = 1_000_000;

interface TailOptions extends LogOptions {
  readonly signal?: readonly string[];
  readonly type?: readonly string[];
  readonly since?: string;
  readonly lines: string;
  readonly follow: boolean;
}

interface Filter {
  readonly machineId: string | undefined;
  readonly signals: ReadonlySet<string> | undefined;
  readonly types: readonly EventType[] | undefined;
  readonly sinceMs: number;
}

export function tailCommand(cli: Cli): Command {
  const many = (value: string, before: readonly string[] = []): readonly string[] => [...before, ...value.split(",")];
  return withLogOptions(new Command("tail"))
    .description("follows samples and events as they are written, until Ctrl-C")
    .argument("[machine]", "its id, or its name when only one site has it")
    .option("--signal <names>", "only these signals (repeat, or separate by commas)", many)
    .option("--type <types>", `only these events: ${EVENT_TYPES.join(", ")}`, many)
    .option("--since <time>", "start so long ago (30s, 5m, 8h) or at a time (2026-03-31T14:00)")
    .option("-n, --lines <count>", "without --since: how many of the newest lines to start with", "10")
    .option("--no-follow", "end when all that is there was shown")
    .action(async (name: string | undefined, options: TailOptions) => {
      const lines = parseCount(options.lines, { min: 0, max: LINES_MAX, what: "a number of lines" });
      const sinceMs = options.since === undefined ? 0 : parseSince(options.since, cli.clock.nowMs());
      const types = parseTypes(options);
      const log = await openFoundLog(cli, options);
      try {
        const machineId = name === undefined ? undefined : resolveMachine(log, name);
        const signals = options.signal === undefined ? undefined : new Set(options.signal);
        await follow(cli, log, { machineId, signals, types, sinceMs }, options, lines);
      } finally {
        log.close();
      }
    });
}

/** @throws EdgeError USAGE */
function parseTypes({ type, signal }: TailOptions): readonly EventType[] | undefined {
  const unknown = type?.find((each) => !EVENT_TYPES.some((known) => known === each));
  if (unknown !== undefined) {
    throw new EdgeError("USAGE", `"${unknown}" is not a type of event`, { hint: `Known: ${EVENT_TYPES.join(", ")}` });
  }
  if (type !== undefined) return EVENT_TYPES.filter((known) => type.includes(known));
  return signal === undefined ? undefined : ["telemetry"];
}

async function follow(cli: Cli, log: LogReader, filter: Filter, options: TailOptions, lines: number): Promise<void> {
  const units = new Units(log);
  const kinds = filter.types === undefined ? {} : { types: filter.types };
  let offset: number;
  if (options.since === undefined) {
    offset = log.head();
    const back = log.readAfter(Math.max(0, offset - BACK_EVENTS_MAX), { limitEvents: BACK_EVENTS_MAX, ...kinds });
    offset = Math.max(offset, back.at(-1)?.offset ?? 0);
    const items = back.flatMap((event) => itemsOf(event, filter));
    if (lines > 0) await show(cli, items.slice(-lines), units);
  } else {
    offset = firstOffsetSince(log, filter.sinceMs, cli.clock.nowMs());
  }
  while (!cli.signal.aborted) {
    const events = log.readAfter(offset, { limitEvents: BATCH_EVENTS, ...kinds });
    for (const event of events) if (event.type === "config") units.forget(event.machineId);
    await show(
      cli,
      events.flatMap((event) => itemsOf(event, filter)),
      units,
    );
    offset = events.at(-1)?.offset ?? (filter.types === undefined ? offset : Math.max(offset, log.head()));
    if (events.length > 0) {
      // Gives signals and the pipe's other end their turn between two batches of a long history.
      await new Promise((resolve) => setImmediate(resolve));
    } else if (!options.follow) return;
    else await log.waitPast(offset, cli.signal);
  }
}

/** Offset before the first event of any stream that was appended in or after that instant's minute. */
function firstOffsetSince(log: LogReader, sinceMs: number, nowMs: number): number {
  const firsts = log.streams().flatMap(({ machineId }) => {
    const first = log.readTime(machineId, sinceMs, Math.max(nowMs, sinceMs) + 3_600_000, { limitEvents: 1 })[0];
    return first ? [first.offset - 1] : [];
  });
  return firsts.reduce((least, offset) => Math.min(least, offset), log.head());
}

type Item = { readonly event: StoredEvent; readonly sample: TelemetrySample | undefined };

function itemsOf(event: StoredEvent, { machineId, signals, sinceMs }: Filter): Item[] {
  if (machineId !== undefined && event.machineId !== machineId) return [];
  if (event.type !== "telemetry")
    return signals !== undefined || event.timeMs < sinceMs ? [] : [{ event, sample: undefined }];
  return event.data.samples
    .filter((sample) => sample.receivedTimestampMs >= sinceMs && (signals === undefined || signals.has(sample.signal)))
    .map((sample) => ({ event, sample }));
}

async function show(cli: Cli, items: readonly Item[], units: Units): Promise<void> {
  for (const { event, sample } of items) {
    if (cli.signal.aborted) return;
    if (cli.output.json) await cli.output.jsonLine(sample ? sampleJson(event, sample, units) : event);
    else await cli.output.lines([sample ? sampleLine(cli, event, sample, units) : eventLine(event)]);
  }
}

function sampleJson(event: StoredEvent, sample: TelemetrySample, units: Units): unknown {
  const { epoch, machineId, seq, offset } = event;
  return {
    type: "sample",
    epoch,
    machineId,
    seq,
    offset,
    ...sample,
    unit: units.of(machineId, sample.signal),
    status: statusName(sample.statusCode),
  };
}

function sampleLine(cli: Cli, event: StoredEvent, sample: TelemetrySample, units: Units): string {
  const severity = severityOf(sample.statusCode);
  const unit = units.of(event.machineId, sample.signal);
  const value = `${valueText(sample.value)}${unit === "" ? "" : ` ${unit}`}`;
  const what = `${harmless(event.machineId).padEnd(18)}  ${harmless(sample.signal).padEnd(24)}  ${value.padStart(14)}`;
  const status = severity === "good" ? "" : `  ${statusName(sample.statusCode)}`;
  return `${timeText(sample.sourceTimestampMs ?? sample.receivedTimestampMs)}  ${cli.output.paint(severity, what + status)}`;
}

function eventLine(event: StoredEvent): string {
  const head = `${timeText(event.timeMs)}  ${harmless(event.machineId).padEnd(18)}  ${event.type.padEnd(10)}`;
  return `${head}  ${harmless(essence(event))}`;
}

function essence(event: StoredEvent): string {
  switch (event.type) {
    case "connection":
      return `${event.data.connectionId} ${event.data.state}: ${event.data.detail}${event.data.hint ? ` ${event.data.hint}` : ""}`;
    case "gap":
      return `${event.data.samples} samples lost (${event.data.cause}): ${event.data.detail}`;
    case "config":
      if (event.data.kind === "machine") return `${event.data.typeName}, ${event.data.signals.length} signals`;
      if (event.data.kind === "removed") return "removed from the configuration";
      return `${event.data.kind} ${event.data.path} ${[...event.data.problems, ...event.data.changes].join("; ")}`;
    default:
      return JSON.stringify(event.data);
  }
}

/** Units by machine and signal, from each machine's newest `config` event. One entry a machine of the log. */
class Units {
  readonly #log: LogReader;
  readonly #units = new Map<string, ReadonlyMap<string, string>>();

  constructor(log: LogReader) {
    this.#log = log;
  }

  of(machineId: string, signal: string): string {
    let units = this.#units.get(machineId);
    if (!units) {
      const config = this.#log.latest(machineId, "config");
      const signals = config?.type === "config" && config.data.kind === "machine" ? config.data.signals : [];
      units = new Map(signals.map(({ name, unit }) => [name, unit]));
      this.#units.set(machineId, units);
    }
    return units.get(signal) ?? "";
  }

  forget(machineId: string): void {
    this.#units.delete(machineId);
  }
}
