import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { compareLedgers } from "../../cloud-sync/contract/ledger.ts";
import { CURSOR_BY_LANE } from "../../cloud-sync/uplink/ports.ts";
import { createLogger } from "../../edge/kernel/logging.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import { HubConsumer } from "../support/hub-consumer.ts";
import { HubProgram, portOf } from "../support/hub-program.ts";
import { everyEvent } from "../support/log-checks.ts";
import { firstLine, startProgram } from "../support/runtime-process.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { FactoryWriter, fingerprintOf } from "./factory-writer.ts";
import { type Fault, faultsOf } from "./faults.ts";
import { Office } from "./office.ts";

const DEVICE = "box-redmond";
const SKEW = join(import.meta.dirname, "skewed-date.mjs");
const DRAIN_MS_MAX = 90_000;

export interface SimulationResult {
  readonly events: number;
  readonly duplicates: number;
  readonly messages: number;
  readonly faults: readonly string[];
  readonly kinds: ReadonlySet<string>;
}

/** Others who consume what the hub of a simulation has, from its beginning to after its faults. */
export interface Beside {
  readonly consumerGroups: readonly string[];
  begin(hub: HubProgram): Promise<void>;
  /** When the log's every event is at the hub. Gives what is wrong. */
  end(hub: HubProgram, log: EventLog): Promise<readonly string[]>;
}

/**
 * A factory that writes, an uplink (the real module), a line, a hub (the real process) and an office that consumes, all
 * through faults drawn from one seed; then all is mended, and the accounts of both sides are compared.
 */
export async function simulate(
  folder: string,
  seed: number,
  durationMs: number,
  beside?: Beside,
): Promise<SimulationResult> {
  const groups = (beside?.consumerGroups ?? []).flatMap((name) => ["--consumer-group", name]);
  await using hub = await new HubProgram(join(folder, "hub"), [DEVICE], groups).start();
  await beside?.begin(hub);
  await using line = await new TcpProxy(portOf(hub.addresses.mqtt)).listen();
  const office = new Office();
  await using consumer = new HubConsumer(hub.eventsConnection, (message) => office.accept(message)).start();
  const writer = new FactoryWriter(join(folder, "tailstock.db"), seed, createLogger({ level: "fatal", pretty: false }));
  await using uplink = new UplinkProgram(folder, hub.deviceConnection(DEVICE, line.port), hub.addresses.ca);
  await uplink.start();
  const stop = new AbortController();
  const writing = writer.run(stop.signal);
  const plan = faultsOf(seed, durationMs);
  await play(plan, { line, hub, uplink, writer });
  stop.abort();
  await writing;
  const head = writer.log.head();
  // Offsets have no holes: the office has as many events as the log has offsets.
  const isThere = (): boolean => writer.log.cursor(CURSOR_BY_LANE.telemetry) >= head && office.events >= head;
  const faults: string[] = [];
  await until("all events are at the office", isThere, DRAIN_MS_MAX).catch((error) => faults.push(String(error)));
  faults.push(...faultsOfAccounts(writer, office), ...((await beside?.end(hub, writer.log)) ?? []));
  writer.log.close();
  if (consumer.errors > plan.length * 20)
    faults.push(`the consumer failed ${consumer.errors} times: ${consumer.lastError}`);
  return {
    events: office.events,
    duplicates: office.duplicates,
    messages: office.messages,
    faults,
    kinds: new Set(plan.map(({ kind }) => kind)),
  };
}

/** Every event exactly once after those that came again are taken out, whole and unchanged, and nothing that never was. */
function faultsOfAccounts({ log }: FactoryWriter, office: Office): string[] {
  const faults = [...office.faults];
  const events = everyEvent(log);
  for (const event of events) {
    const print = office.printOf(event);
    const name = `${event.machineId} ${event.seq} (${event.type}, offset ${event.offset})`;
    if (print === undefined) faults.push(`${name} is missing`);
    else if (print !== fingerprintOf(event)) faults.push(`${name} arrived as something else`);
  }
  if (office.events > events.length) faults.push(`${office.events - events.length} events arrived that never were`);
  for (const { machineId, firstSeq, lastSeq, kind } of compareLedgers(log.ledger(), office.ledger.ranges())) {
    faults.push(`the ledgers differ: ${machineId} ${firstSeq}–${lastSeq} ${kind}`);
  }
  return faults;
}

interface Stage {
  readonly line: TcpProxy;
  readonly hub: HubProgram;
  readonly uplink: UplinkProgram;
  readonly writer: FactoryWriter;
}

async function play(plan: readonly Fault[], stage: Stage): Promise<void> {
  const startedMs = performance.now();
  for (const fault of plan) {
    await delay(Math.max(0, fault.atMs - (performance.now() - startedMs)));
    await strike(fault, stage);
  }
}

async function strike({ kind, lastsMs, jumpMs }: Fault, { line, hub, uplink, writer }: Stage): Promise<void> {
  switch (kind) {
    case "cut":
    case "freeze":
    case "blackhole":
    case "deaf":
    case "delay":
      line.delayMs = 150;
      line.mode = kind === "cut" ? "reset" : kind;
      await delay(lastsMs);
      line.mode = "pass";
      break;
    case "kill-hub":
      await hub.kill();
      await delay(lastsMs);
      await hub.start();
      break;
    case "kill-uplink":
      await uplink.kill();
      await delay(lastsMs);
      await uplink.start();
      break;
    case "clock-uplink":
      uplink.jump(jumpMs);
      break;
    case "clock-factory":
      writer.clock.skewMs = jumpMs;
      break;
  }
}

/** The uplink's module as its container runs it, on a clock that may be wrong. */
class UplinkProgram implements AsyncDisposable {
  readonly #folder: string;
  #child: ChildProcess | undefined;

  constructor(folder: string, connectionString: string, ca: string) {
    this.#folder = folder;
    writeFileSync(join(folder, "hub-connection"), connectionString);
    writeFileSync(
      join(folder, "tailstock.yaml"),
      `site: redmond
log: { path: tailstock.db }
uplink: { connectionStringFile: hub-connection, ca: ${JSON.stringify(ca)}, latencyMs: 500, sendTimeoutMs: 4000 }
machines:
  mill-01: { address: "opc.tcp://127.0.0.1:1", signals: { speed: { node: "ns=2;s=Speed" } } }
`,
    );
    this.jump(0);
  }

  jump(skewMs: number): void {
    writeFileSync(this.#skewPath, `${skewMs}`);
  }

  async start(): Promise<void> {
    this.#child = startProgram(["--import", SKEW, "modules/uplink/main.ts"], {
      TAILSTOCK_CONFIG: join(this.#folder, "tailstock.yaml"),
      TAILSTOCK_LOG_LEVEL: "info",
      TAILSTOCK_TEST_SKEW_FILE: this.#skewPath,
    });
    await firstLine(this.#child);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  get #skewPath(): string {
    return join(this.#folder, "skew");
  }
}
