import type { StoredEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { rangesOf } from "../../cloud-sync/store/seq-ranges.ts";
import type { dumpModels, Rows } from "./projected-dump.ts";
import { FACTORY } from "./projected-world.ts";

type Data = Record<string, string | boolean>;
type Event = StoredEvent & { readonly data: unknown };

/** What the read models have to say of these events: written as simply as can be. */
export function expected(events: readonly StoredEvent[]): Awaited<ReturnType<typeof dumpModels>> {
  const byMachine = Map.groupBy(events, ({ machineId }) => machineId);
  const currents = [...byMachine.values()].flatMap((own) => currentOf(own));
  const of = (type: string): Event[] => events.filter((event) => event.type === type);
  return {
    latest: sorted(currents.flatMap(latestOf)),
    machines: sorted(currents.map(machineOf)),
    minutes: sorted(aggregatesOf(events, 60_000, "minute_at")),
    hours: sorted(aggregatesOf(events, 3_600_000, "hour_at")),
    entities: sorted(entitiesOf(events)),
    anomalies: sorted(
      of("anomaly").map((e) => ({ machine_id: e.machineId, id: id(e), kind: data(e).kind, event_at: at(e) })),
    ),
    alarms: sorted([...Map.groupBy(of("alarm"), (e) => `${e.machineId}\0${data(e).what}`).values()].map(alarmOf)),
    predictions: sorted(
      of("prediction").map((e) => ({
        machine_id: e.machineId,
        id: id(e),
        requirement: data(e).requirement,
        outside_training: data(e).outsideTraining,
      })),
    ),
    windows: sorted([1, 24].flatMap((hours) => windowsOf(of("prediction"), hours))),
    ...ledgerOf(events),
  };
}

const data = (event: Event): Data => event.data as Data;
const id = ({ epoch, seq }: { epoch: string; seq: number }): string => `${epoch}/${seq}`;
const iso = (ms: number): string => new Date(ms).toISOString();
const at = ({ timeMs }: Event): string => iso(timeMs);
const isFact = ({ type }: Event): boolean => type === "telemetry" || type === "state" || type === "config";

/** Of the epoch that has told something of the machine last. */
function currentOf(own: readonly Event[]): Event[][] {
  const telling = [...Map.groupBy(own, ({ epoch }) => epoch).values()].filter((each) => each.some(isFact));
  const last = telling.sort((a, b) => newest(a.filter(isFact)).timeMs - newest(b.filter(isFact)).timeMs).at(-1);
  return last === undefined ? [] : [last];
}

function newest<T extends { seq: number }>(events: readonly T[]): T {
  return events.reduce((a, b) => (b.seq > a.seq ? b : a));
}

function samplesOf(events: readonly Event[]): (TelemetrySample & { seq: number; machineId: string })[] {
  return events.flatMap((event) =>
    event.type === "telemetry"
      ? event.data.samples.map((sample) => ({ ...sample, seq: event.seq, machineId: event.machineId }))
      : [],
  );
}

function latestOf(events: readonly Event[]): Rows {
  return [...Map.groupBy(samplesOf(events), ({ signal }) => signal).values()].map((samples) => {
    const last = samples.filter(({ seq }) => seq === newest(samples).seq).at(-1) as (typeof samples)[number];
    const isNumber = typeof last.value === "number";
    return {
      machine_id: last.machineId,
      signal: last.signal,
      number: isNumber && !Number.isNaN(last.value) ? last.value : null,
      other: isNumber ? null : last.value,
      status_code: last.statusCode,
      received_at: iso(last.receivedTimestampMs),
      seq: last.seq,
    };
  });
}

function machineOf(events: readonly Event[]) {
  const states = events.filter(({ type }) => type === "state");
  const configs = events.filter(({ type }) => type === "config");
  const [first] = events as [Event];
  return {
    machine_id: first.machineId,
    factory_id: FACTORY,
    epoch: first.epoch,
    type_name: configs.length === 0 ? null : data(newest(configs)).typeName,
    state: states.length === 0 ? null : data(newest(states)).state,
  };
}

function aggregatesOf(events: readonly Event[], spanMs: number, name: string): Rows {
  const groups = Map.groupBy(samplesOf(events), ({ machineId, signal, receivedTimestampMs }) =>
    JSON.stringify([machineId, signal, Math.floor(receivedTimestampMs / spanMs)]),
  );
  return [...groups].flatMap(([key, samples]) => {
    const [machine_id, signal, span] = JSON.parse(key) as [string, string, number];
    const good = samples.filter(({ statusCode }) => statusCode < 0x8000_0000);
    const numbers = good
      .map(({ value }) => (typeof value === "boolean" ? Number(value) : value))
      .filter(Number.isFinite) as number[];
    const bad = samples.length - good.length;
    if (numbers.length === 0 && bad === 0) return [];
    const sum = numbers.length === 0 ? null : numbers.reduce((a, b) => a + b, 0);
    const [minimum, maximum] = numbers.length === 0 ? [null, null] : [Math.min(...numbers), Math.max(...numbers)];
    return [{ machine_id, signal, [name]: iso(span * spanMs), count: numbers.length, bad, minimum, maximum, sum }];
  });
}

const WORDS: Record<string, string> = {
  telemetry: "Telemetry Ingest",
  prediction: "Maintenance Prediction",
  alarm: "Alarm",
  state: "State Change",
  config: "Configuration Change",
};

function entitiesOf(events: readonly Event[]): Rows {
  const causes = new Set(events.map(({ causedBy }) => causedBy));
  return events
    .filter((e) => e.type !== "telemetry" || causes.has(`${e.epoch}/${e.machineId}/${e.seq}`))
    .map((e) => {
      const kind =
        e.type === "anomaly" ? { spike: "Spike Anomaly", dip: "Dip Anomaly" }[String(data(e).kind)] : undefined;
      const event_type = kind ?? WORDS[e.type];
      return { machine_id: e.machineId, id: id(e), entity_id: e.entityId, event_type, event_at: at(e) };
    });
}

/** Later epochs are later in time here. */
function alarmOf(events: readonly Event[]) {
  const ordered = events.toSorted((a, b) => a.timeMs - b.timeMs);
  const raised = ordered.filter((event) => data(event).state === "unacknowledged");
  const last = ordered.at(-1) as Event;
  return {
    machine_id: last.machineId,
    alarm_id: `/${data(last).what}`,
    state: data(last).state,
    occurrences: raised.length,
    changed_at: at(last),
    raised_at: at(raised.at(-1) ?? last),
  };
}

function windowsOf(events: readonly Event[], hours: number): Rows {
  const lengthMs = hours * 3_600_000;
  const groups = Map.groupBy(events, (e) =>
    JSON.stringify([e.machineId, Math.floor(e.timeMs / lengthMs), data(e).requirement]),
  );
  return [...groups.values()].map((own) => {
    const times = own.map(({ timeMs }) => timeMs);
    const [first] = own as [Event];
    return {
      machine_id: first.machineId,
      window_hours: hours,
      window_at: iso(Math.floor(first.timeMs / lengthMs) * lengthMs),
      requirement: data(first).requirement,
      predictions: own.length,
      outside: own.filter((e) => data(e).outsideTraining).length,
      first_at: iso(Math.min(...times)),
      last_at: iso(Math.max(...times)),
    };
  });
}

function ledgerOf(events: readonly Event[]): { ranges: Rows; streams: Rows } {
  const streams = [...Map.groupBy(events, ({ machineId, epoch }) => `${machineId}\0${epoch}`).values()];
  const rangesIn = (own: readonly Event[]) => rangesOf(own.map(({ seq }) => seq).sort((a, b) => a - b));
  return {
    ranges: sorted(
      streams.flatMap((own) =>
        rangesIn(own).map(([first_seq, last_seq]) => {
          return { machine_id: own[0]?.machineId, epoch: own[0]?.epoch, first_seq, last_seq, state: "here" };
        }),
      ),
    ),
    streams: sorted(
      streams.map((own) => {
        const seqs = own.map(({ seq }) => seq);
        const [first, last] = [Math.min(...seqs), Math.max(...seqs)];
        const counts = { events: own.length, samples: samplesOf(own).length, thinned: 0, lost: 0 };
        const name = { machine_id: own[0]?.machineId, epoch: own[0]?.epoch, first_seq: first, last_seq: last };
        return { ...name, ...counts, missing: last - first + 1 - own.length };
      }),
    ),
  };
}

function sorted(rows: Rows): Rows {
  return rows
    .map((row) => JSON.stringify(row))
    .sort()
    .map((text) => JSON.parse(text));
}
