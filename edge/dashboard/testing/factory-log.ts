import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionData, NewEvent, SignalInfo, TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { type Clock, systemClock } from "../../kernel/clock.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { openLog, type SqliteLog } from "../../log/log.ts";

/** A real log in a folder of its own, and short words for what a collector writes into it. */
export class FactoryLog {
  readonly folder = mkdtempSync(join(tmpdir(), "tailstock-dashboard-"));
  readonly log: SqliteLog;
  /** Added to the clock of what is appended: a past is written by setting it back. */
  shiftMs = 0;
  readonly clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + this.shiftMs };

  constructor() {
    this.log = openLog({ path: join(this.folder, "log.db"), clock: this.clock });
  }

  append(...events: NewEvent[]): Promise<number> {
    return this.log.append(events, "now");
  }

  machine(machineId: string, signals: readonly Partial<SignalInfo>[], connectionId = "line-a"): NewEvent {
    return {
      type: "config",
      machineId,
      timeMs: this.clock.nowMs(),
      data: {
        kind: "machine",
        typeName: "cnc-mill",
        connectionId,
        signals: signals.map((signal) => ({
          name: "x",
          title: signal.title ?? signal.name ?? "x",
          unit: "",
          key: false,
          type: "float64",
          intervalMs: 1_000,
          ...signal,
        })),
      },
    };
  }

  telemetry(
    machineId: string,
    values: Readonly<Record<string, SampleValue>>,
    statusCode: number = StatusCode.Good,
  ): NewEvent {
    const nowMs = this.clock.nowMs();
    const samples = Object.entries(values).map(
      ([signal, value]): TelemetrySample => ({
        signal,
        value,
        statusCode,
        sourceTimestampMs: nowMs - 7,
        serverTimestampMs: nowMs - 5,
        receivedTimestampMs: nowMs,
      }),
    );
    return { type: "telemetry", machineId, timeMs: nowMs, data: { samples } };
  }

  connection(machineIds: readonly string[], overrides: Partial<ConnectionData> = {}): NewEvent {
    return {
      type: "connection",
      machineId: "redmond/edge",
      timeMs: this.clock.nowMs(),
      data: {
        connectionId: "line-a",
        protocol: "opcua",
        address: "opc.tcp://127.0.0.1:4840/UA",
        state: "connected",
        detail: `subscribed to ${machineIds.length * 3} of ${machineIds.length * 3} signals`,
        hint: null,
        machineIds,
        counters: { samples: 4_711, reconnects: 2 },
        problems: [],
        ...overrides,
      },
    };
  }

  close(): void {
    this.log.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
