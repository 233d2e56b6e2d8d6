import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { UPLINK_CONDITIONS } from "../../../cloud-sync/uplink/condition.ts";
import { LANES } from "../../../cloud-sync/uplink/ports.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { DashboardContext } from "../dashboard-context.ts";
import type { UplinkView } from "../schemas/uplink.ts";

const LINK_STATES = ["connected", "degraded", "connecting", "disconnected"] as const;

/** What the hub has acknowledged, by lane. */
const COUNTED = [
  ["events", "events acknowledged"],
  ["messages", "messages acknowledged"],
  ["units", "metered 4 KB units of acknowledged messages"],
  ["bytes", "bytes of acknowledged messages"],
] as const;

/** What is not known is left out, as Prometheus wants it: an absent value is no zero. */
type Value = number | null | undefined;

/** This box's numbers in the text format of Prometheus. Everything is read at the scrape; nothing is counted between. */
export class Metrics {
  readonly #context: DashboardContext;
  readonly #registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();

  constructor(context: DashboardContext) {
    this.#context = context;
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    for (const metric of [...this.#gauges.values(), ...this.#counters.values()]) metric.reset();
    this.#factory();
    this.#log();
    const { configured, uplink } = this.#context.uplink.look();
    this.#set("tailstock_uplink_configured", "1 when the configuration has an uplink", configured ? 1 : 0);
    if (uplink) this.#uplink(uplink);
    return this.#registry.metrics();
  }

  #factory(): void {
    const { projection, hub } = this.#context;
    this.#set("tailstock_machines", "machines in the log", projection.machines.size);
    this.#set("tailstock_live_pages", "pages on the live stream", hub.clients);
    const states = [...projection.connections.values()].map(({ data }) => data.state);
    for (const state of LINK_STATES) {
      const count = states.filter((each) => each === state).length;
      this.#set("tailstock_connections", "connections to machines, by state", count, { state });
    }
  }

  #log(): void {
    const { log, gauge } = this.#context;
    try {
      const { forecast, waiting } = gauge.look();
      this.#set("tailstock_log_head_offset", "position of the newest event", log.head());
      this.#set("tailstock_log_used_bytes", "what the log takes of the disk", forecast.usedBytes);
      this.#set(
        "tailstock_log_limit_bytes",
        "what it may take: its quota, or less on a small disk",
        forecast.limitBytes,
      );
      this.#set("tailstock_log_readings_per_second", "what comes in", forecast.readingsPerS);
      this.#set("tailstock_log_bytes_per_reading", "kept on the disk", forecast.bytesPerReading);
      this.#set(
        "tailstock_log_full_seconds",
        "until readings are thinned without a line",
        seconds(forecast.timeToFullMs),
      );
      this.#set("tailstock_log_waiting_readings", "readings that the hub has not acknowledged", waiting.readings);
    } catch (error) {
      // A log that can't be read just now leaves its numbers out of this scrape.
      if (!(error instanceof EdgeError)) throw error;
    }
  }

  #uplink(uplink: UplinkView): void {
    const { lanes, today } = uplink;
    for (const condition of UPLINK_CONDITIONS) {
      const is = condition === uplink.condition ? 1 : 0;
      this.#set("tailstock_uplink_condition", "1 for how the line is now", is, { condition });
    }
    for (const lane of LANES) {
      const of = lanes[lane];
      this.#set("tailstock_uplink_lag_events", "events that wait for the hub", of.backlogEvents, { lane });
      this.#set("tailstock_uplink_lag_seconds", "age of the oldest event that waits", seconds(of.lagMs), { lane });
      this.#set("tailstock_uplink_events_per_second", "acknowledged, last ten seconds", of.eventsPerSecond, { lane });
      this.#set("tailstock_uplink_bytes_per_second", "acknowledged, last ten seconds", of.bytesPerSecond, { lane });
      this.#set("tailstock_uplink_drain_seconds", "until nothing waits, at this rate", seconds(of.drainMs), { lane });
      for (const [what, help] of COUNTED) {
        this.#count(`tailstock_uplink_${what}_total`, `${help}, since the uplink began`, of.total?.[what], { lane });
      }
    }
    this.#set("tailstock_uplink_in_flight_messages", "sent and not acknowledged yet", uplink.inFlight);
    this.#set("tailstock_uplink_last_ack_timestamp_seconds", "newest acknowledgement", seconds(uplink.lastAckMs));
    this.#set("tailstock_uplink_messages_today", "messages acknowledged this UTC day", today.messages);
    this.#set("tailstock_uplink_units_today", "metered 4 KB units of this UTC day", today.units);
    this.#set("tailstock_uplink_bytes_today", "bytes acknowledged this UTC day", today.bytes);
    this.#set("tailstock_uplink_units_today_limit", "the budget of units a day", today.unitsMax);
    this.#set(
      "tailstock_uplink_rate_limit_bytes",
      "bytes a second that the backlog may take",
      uplink.bytesPerSecondMax,
    );
    this.#set("tailstock_uplink_dead_letters", "messages set aside because they cannot go", uplink.deadLetters);
  }

  #set(name: string, help: string, value: Value, labels: Readonly<Record<string, string>> = {}): void {
    if (value === null || value === undefined) return;
    let gauge = this.#gauges.get(name);
    if (!gauge) {
      gauge = new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
      this.#gauges.set(name, gauge);
    }
    gauge.set({ ...labels }, value);
  }

  /** One that is kept by the uplink; it begins anew with it, as Prometheus expects. */
  #count(name: string, help: string, value: Value, labels: Readonly<Record<string, string>>): void {
    if (value === null || value === undefined) return;
    let counter = this.#counters.get(name);
    if (!counter) {
      counter = new Counter({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
      this.#counters.set(name, counter);
    }
    counter.inc({ ...labels }, value);
  }
}

function seconds(ms: Value): Value {
  return typeof ms === "number" ? ms / 1_000 : ms;
}
