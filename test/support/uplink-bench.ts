import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import type { UplinkLimits } from "../../cloud-sync/uplink/limits.ts";
import { openUplinkState, type UplinkState } from "../../cloud-sync/uplink/state/uplink-state.ts";
import { Uplink } from "../../cloud-sync/uplink/uplink.ts";
import type { UplinkConfig } from "../../edge/kernel/config/model.ts";
import { openLog, type SqliteLog } from "../../edge/log/log.ts";
import { sampleOf } from "./events.ts";
import { FakeHub } from "./fake-hub.ts";
import { ManualClock } from "./manual-clock.ts";

export const UPLINK_CONFIG: UplinkConfig = {
  identity: { kind: "connection-string", connectionStringPath: "/none" },
  caPath: undefined,
  transport: "mqtt",
  latencyMs: 1_000,
  latencyMsMax: 60_000,
  bytesPerSecondMax: undefined,
  unitsPerDayMax: undefined,
  windowMessages: 8,
  sendTimeoutMs: 20_000,
  allow: [],
};

export const MACHINE_IDS = ["redmond/mill-01", "redmond/mill-02", "redmond/press-01"] as const;

/** A real log and a real uplink; only the hub and the clock are the test's. */
export class UplinkBench {
  readonly clock = new ManualClock();
  readonly hub = new FakeHub(this.clock);
  readonly log: SqliteLog;
  readonly state: UplinkState;
  readonly #config: UplinkConfig;
  readonly #limits: Partial<UplinkLimits>;
  #round = 0;
  #running: { readonly uplink: Uplink; readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(folder: string, config: Partial<UplinkConfig> = {}, limits: Partial<UplinkLimits> = {}, logOptions = {}) {
    this.#config = { ...UPLINK_CONFIG, ...config };
    this.#limits = { freshEvents: 6, staleAfterMs: 5_000, readEventsMax: 40, ...limits };
    const bounds = { quotaBytes: 1024 ** 3, maxAgeMs: 1e12, forwardedBy: "uplink.telemetry", ...logOptions };
    this.log = openLog({ path: join(folder, "log.db"), clock: this.clock, ...bounds });
    this.state = openUplinkState(join(folder, "uplink.db"), pino({ level: "silent" }));
  }

  get uplink(): Uplink {
    if (this.#running === undefined) throw new Error("the uplink does not run");
    return this.#running.uplink;
  }

  start(): void {
    const { log, state, clock } = this;
    const stop = new AbortController();
    const uplink = new Uplink({
      log,
      state,
      clock,
      connector: this.hub,
      config: this.#config,
      site: "redmond",
      logger: pino({ level: "silent" }),
      random: () => 0.5,
      limits: this.#limits,
    });
    const done = uplink.run(stop.signal, () => undefined);
    this.#running = { uplink, stop, done };
  }

  /** As a crash: nothing of what it had in memory is left. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    this.#running.stop.abort();
    const { done } = this.#running;
    this.#running = undefined;
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    while (!isDone) await this.clock.advance(100);
    await done;
  }

  /** A round of telemetry of each machine, as if a second had passed since the one before, and an alarm at each so many. */
  async round(count = 1, alarmEvery = 7): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.clock.advance(1_000);
      this.#round++;
      await this.log.append(this.#eventsOf(this.#round, alarmEvery), "now");
    }
  }

  #eventsOf(round: number, alarmEvery: number): NewEvent[] {
    const timeMs = this.clock.nowMs();
    const times = { sourceTimestampMs: null, serverTimestampMs: null, receivedTimestampMs: timeMs };
    const events: NewEvent[] = MACHINE_IDS.map((machineId, m) => ({
      type: "telemetry",
      machineId,
      timeMs,
      data: {
        samples: [
          sampleOf("load", round * 10 + m, times),
          sampleOf("temperature", ((round * 7_919) % 1_000) / 10, times),
          sampleOf("state", round % 5 === 0 ? "idle" : "running", times),
        ],
      },
    }));
    if (round % alarmEvery === 0) {
      events.push({
        type: "alarm",
        machineId: MACHINE_IDS[round % 3] as string,
        timeMs,
        data: { round, what: "door" },
      });
    }
    return events;
  }

  seal(): void {
    while (this.log.sealStep());
  }

  /** Moves time on until the condition holds. */
  async until(what: string, condition: () => boolean, withinMs = 300_000): Promise<void> {
    for (let passedMs = 0; !condition(); passedMs += 500) {
      if (passedMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.clock.advance(500);
    }
  }

  /** Whether every event of the log is done with. */
  get isDrained(): boolean {
    const head = this.log.head();
    const { lanes } = this.uplink.status();
    return lanes.telemetry.offset >= head && lanes.priority.backlogEvents === 0;
  }

  close(): void {
    this.log.close();
    this.state[Symbol.dispose]();
  }
}

export function uplinkBench(
  folder: string,
  ...rest: [Partial<UplinkConfig>?, Partial<UplinkLimits>?, object?]
): UplinkBench {
  const bench = new UplinkBench(folder, ...rest);
  onTestFinished(async () => {
    await bench.stop();
    bench.close();
  });
  return bench;
}
