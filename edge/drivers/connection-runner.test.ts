import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import type { ConnectionData, NewEvent } from "../../cloud-sync/contract/event.ts";
import type { Sample } from "../../cloud-sync/contract/sample.ts";
import { systemClock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { StatusCode } from "../kernel/status-code.ts";
import { type BoundMachine, ConnectionRunner } from "./connection-runner.ts";
import type { Driver, DriverStatus, LinkState } from "./driver.ts";

const machines: BoundMachine[] = [
  { machineId: "s/a", signals: [{ name: "x" }, { name: "y" }] },
  { machineId: "s/b", signals: [{ name: "z" }] },
];

/** A driver that plays a script: each connect takes the next step. The thing under test is the runner around it. */
class ScriptedDriver implements Driver<BoundMachine> {
  readonly script: (EdgeError | "serve")[];
  applied: readonly BoundMachine[] = [];
  disposals = 0;
  drop: ((error: EdgeError) => void) | undefined;
  #state: LinkState = "disconnected";

  constructor(script: (EdgeError | "serve")[]) {
    this.script = script;
  }
  async connect(): Promise<void> {
    const step = this.script.shift() ?? "serve";
    this.#state = "connecting";
    if (step !== "serve") throw step;
    this.#state = "connected";
  }
  async *samples(signal: AbortSignal): AsyncIterable<readonly Sample[]> {
    yield [
      {
        machineId: "s/a",
        signal: "x",
        value: 5,
        statusCode: 0,
        sourceTimestampMs: 1,
        serverTimestampMs: 2,
        receivedTimestampMs: 3,
      },
    ];
    await new Promise<void>((resolve, reject) => {
      this.drop = reject;
      signal.addEventListener("abort", () => resolve());
    });
  }
  apply(next: readonly BoundMachine[]): void {
    this.applied = next;
  }
  status(): DriverStatus {
    return { state: this.#state, detail: `is ${this.#state}`, counters: { samples: 1 }, problems: [] };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposals++;
  }
}

function runnerOf(driver: ScriptedDriver) {
  const samples: Sample[] = [];
  const events: ConnectionData[] = [];
  const runner = new ConnectionRunner<BoundMachine>({
    connectionId: "line",
    protocol: "opcua",
    address: "opc.tcp://nowhere:1",
    machines,
    driver: () => driver,
    accept: (batch) => samples.push(...batch),
    publish: (event: NewEvent) => event.type === "connection" && events.push(event.data),
    edgeStream: "s/edge",
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  const stop = new AbortController();
  return { runner, samples, events, stop, done: runner.run(stop.signal, () => undefined) };
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await delay(10);
  expect(condition()).toBe(true);
}

const refused = new EdgeError("DRIVER_REFUSED", "the server does not trust us", {
  hint: "trust the certificate",
  statusCode: StatusCode.BadSecurityChecksFailed,
});
const gone = new EdgeError("DRIVER_NOT_CONNECTED", "nobody answers", {
  hint: "check the cable",
  statusCode: StatusCode.BadNotConnected,
});

describe("the connection runner", () => {
  test("says of every signal that it is Bad, with the reason, once per reason, until the link serves", async () => {
    const driver = new ScriptedDriver([gone, gone, refused, "serve"]);
    const { samples, stop, done } = runnerOf(driver);
    await until(() => samples.some(({ statusCode }) => statusCode === 0));
    const bad = samples.filter(({ statusCode }) => statusCode !== 0);
    expect(bad.map(({ machineId, signal, statusCode, value }) => [machineId, signal, statusCode, value])).toEqual([
      ["s/a", "x", StatusCode.BadNotConnected, null],
      ["s/a", "y", StatusCode.BadNotConnected, null],
      ["s/b", "z", StatusCode.BadNotConnected, null],
      ["s/a", "x", StatusCode.BadSecurityChecksFailed, null],
      ["s/a", "y", StatusCode.BadSecurityChecksFailed, null],
      ["s/b", "z", StatusCode.BadSecurityChecksFailed, null],
    ]);
    stop.abort();
    await done;
    expect(driver.disposals).toBe(1);
  });

  test("publishes the reason with its hint, and the recovery", async () => {
    const { events, stop, done } = runnerOf(new ScriptedDriver([refused, "serve"]));
    await until(() => events.some(({ state }) => state === "connected"));
    expect(events.map(({ state, detail, hint }) => [state, detail, hint])).toEqual([
      ["connecting", "connecting to opc.tcp://nowhere:1", null],
      ["disconnected", "the server does not trust us", "trust the certificate"],
      ["connected", "is connected", null],
    ]);
    expect(events[0]).toMatchObject({
      connectionId: "line",
      machineIds: ["s/a", "s/b"],
      address: "opc.tcp://nowhere:1",
    });
    stop.abort();
    await done;
  });

  test("a link that drops is Bad at once and is mended without a restart", async () => {
    const driver = new ScriptedDriver(["serve", "serve"]);
    const { samples, stop, done } = runnerOf(driver);
    await until(() => driver.drop !== undefined);
    driver.drop?.(new EdgeError("DRIVER_NOT_CONNECTED", "reset", { statusCode: StatusCode.BadConnectionClosed }));
    await until(() => samples.filter(({ statusCode }) => statusCode === 0).length === 2);
    expect(samples.map(({ statusCode }) => statusCode)).toEqual([
      0,
      StatusCode.BadConnectionClosed,
      StatusCode.BadConnectionClosed,
      StatusCode.BadConnectionClosed,
      0,
    ]);
    stop.abort();
    await done;
  });

  test("signals that join while the link is down are Bad too, and the others are not said twice", async () => {
    const driver = new ScriptedDriver([gone, gone, gone, gone, gone]);
    const { runner, samples, stop, done } = runnerOf(driver);
    await until(() => samples.length === 3);
    const more = [...machines, { machineId: "s/c", signals: [{ name: "new" }] }];
    runner.apply(more);
    expect(driver.applied).toBe(more);
    expect(samples.slice(3).map(({ machineId, signal }) => [machineId, signal])).toEqual([["s/c", "new"]]);
    stop.abort();
    await done;
  });

  test("an error that nobody foresaw makes the signals Bad and goes to the supervisor", async () => {
    const driver = new ScriptedDriver([]);
    driver.connect = async () => {
      throw new TypeError("a fault of ours");
    };
    const { samples, done } = runnerOf(driver);
    await expect(done).rejects.toThrow("a fault of ours");
    expect(samples.map(({ statusCode }) => statusCode)).toEqual(Array(3).fill(StatusCode.BadInternalError));
    expect(driver.disposals).toBe(1);
  });
});
