import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoredEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { severityOf, statusName } from "../../edge/kernel/status-code.ts";
import type { LogReader } from "../../edge/log/event-log.ts";
import { openLogReader } from "../../edge/log/reader.ts";
import { runEdge } from "../../edge/runtime/edge.ts";
import { createFactory, type Factory } from "../../edge/simulator/factory.ts";
import { renderConfig } from "../../edge/simulator/render-config.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/until.ts";

// Goal: machines on real OPC UA and Modbus end as durable events, and neither faults of the line nor edits of the
// configuration need a restart. Method: the simulated factory on loopback, the whole runtime, and a second reader of the log.
let factory: Factory;

beforeAll(async () => {
  factory = createFactory({ seed: 7, mills: 2, lathes: 1, presses: 2 });
  await factory.start();
});
afterAll(() => factory.stop());

async function startEdge(config: (folder: string) => string) {
  const folder = tempFolder();
  const configPath = join(folder, "tailstock.yaml");
  writeFileSync(configPath, config(folder));
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const done = runEdge(
    { configPath, logger: pino({ level: "silent" }), parts: ["collector"], onReady: () => ready.resolve() },
    stop.signal,
  );
  await Promise.race([ready.promise, done]);
  const log = openLogReader(join(folder, "data", "tailstock.db"));
  return { folder, configPath, log, stop: () => stop.abort(), done };
}

function factoryConfig(): string {
  const { opcuaEndpointUrl, modbusPort, size, site } = factory;
  return renderConfig({ opcuaEndpointUrl, modbusPort, size, site });
}

function everySample(log: LogReader, machineId: string, afterSeq = 0): (TelemetrySample & { seq: number })[] {
  return log
    .readStream(machineId, afterSeq, { limitEvents: 10_000, types: ["telemetry"] })
    .flatMap((event: StoredEvent) =>
      event.type === "telemetry" ? event.data.samples.map((sample) => ({ ...sample, seq: event.seq })) : [],
    );
}

function lastSeq(log: LogReader, machineId: string): number {
  return log.streams().find((stream) => stream.machineId === machineId)?.lastSeq ?? 0;
}

function goodSignals(log: LogReader, machineId: string, afterSeq = 0): Set<string> {
  return new Set(
    everySample(log, machineId, afterSeq)
      .filter(({ statusCode }) => statusCode === 0)
      .map(({ signal }) => signal),
  );
}

describe("the edge on a simulated factory", () => {
  test("every signal of every machine arrives Good, with the times that its protocol has", async () => {
    const edge = await startEdge(factoryConfig);
    const config = new Map<string, number>();
    await until("all signals Good", () => {
      for (const { machineId } of edge.log.streams()) {
        const event = edge.log.latest(machineId, "config");
        if (event?.type === "config" && event.data.kind === "machine") config.set(machineId, event.data.signals.length);
      }
      return (
        config.size === 6 && [...config].every(([machineId, count]) => goodSignals(edge.log, machineId).size === count)
      );
    });
    const mill = everySample(edge.log, "redmond/mill-01").filter(({ statusCode }) => statusCode === 0);
    expect(mill.length).toBeGreaterThan(30);
    for (const sample of mill) {
      expect(Math.abs((sample.sourceTimestampMs ?? 0) - sample.receivedTimestampMs)).toBeLessThan(60_000);
      expect(sample.serverTimestampMs).not.toBeNull();
    }
    const press = everySample(edge.log, "redmond/press-01");
    expect(press.every((sample) => sample.sourceTimestampMs === null && sample.serverTimestampMs === null)).toBe(true);
    const temperature = press.find(({ signal, statusCode }) => /temperature/i.test(signal) && statusCode === 0);
    expect(temperature?.value).toBeGreaterThan(10);
    expect(temperature?.value).toBeLessThan(100);
    edge.stop();
    await edge.done;
    edge.log.close();
  });

  test("a cut line gives Bad samples with the reason, and Good ones again without a restart", async () => {
    const edge = await startEdge(factoryConfig);
    for (const machineId of ["redmond/mill-01", "redmond/press-01"]) {
      await until(`${machineId} Good`, () => goodSignals(edge.log, machineId).size > 5);
    }
    for (const machineId of ["redmond/mill-01", "redmond/press-01"]) {
      const before = lastSeq(edge.log, machineId);
      factory.inject({ kind: "link-down", machineId: machineId.split("/")[1] ?? "", durationMs: 3_000 });
      const bad = await until(`${machineId} not Good`, () =>
        everySample(edge.log, machineId, before).find(({ statusCode }) => statusCode !== 0),
      );
      expect(severityOf(bad.statusCode), statusName(bad.statusCode)).not.toBe("good");
      await until(`${machineId} Good again`, () => goodSignals(edge.log, machineId, bad.seq).size > 5, 30_000);
    }
    edge.stop();
    await edge.done;
    edge.log.close();
  });

  test("P29 P05 an edit touches only what changed, and a bad one changes nothing and says why", async () => {
    const edge = await startEdge(factoryConfig);
    const good = readFileSync(edge.configPath, "utf8");
    await until("press-02 Good", () => goodSignals(edge.log, "redmond/press-02").size > 3);
    await until("mill-01 Good", () => goodSignals(edge.log, "redmond/mill-01").size > 3);
    const edgeEvents = () => edge.log.readStream("redmond/edge", 0, { limitEvents: 1_000 });

    writeFileSync(edge.configPath, good.replace("machines:", "machinez:"));
    const refused = await until("refusal", () =>
      edgeEvents().find((event) => event.type === "config" && event.data.kind === "refused"),
    );
    expect(JSON.stringify(refused.data)).toContain("machinez");
    const seqAtRefusal = lastSeq(edge.log, "redmond/press-02");
    await until("press-02 runs on", () => lastSeq(edge.log, "redmond/press-02") > seqAtRefusal + 3);

    // One machine less on the Modbus line; nothing of the OPC UA line or the other press may notice.
    const millBefore = lastSeq(edge.log, "redmond/mill-01");
    const pressBefore = lastSeq(edge.log, "redmond/press-01");
    const headBefore = edge.log.head();
    writeFileSync(edge.configPath, good.replace(/^ {2}press-02:.*\n/m, ""));
    await until("press-02 gone", () => {
      const event = edge.log.latest("redmond/press-02", "config");
      return event?.type === "config" && event.data.kind === "removed";
    });
    await delay(2_500);
    const pressSeq = lastSeq(edge.log, "redmond/press-02");
    await until("press-01 runs on", () => lastSeq(edge.log, "redmond/press-01") > pressBefore + 3);
    expect(lastSeq(edge.log, "redmond/press-02")).toBe(pressSeq);
    for (const [machineId, seq] of [
      ["redmond/mill-01", millBefore],
      ["redmond/press-01", pressBefore],
    ] as const) {
      expect(everySample(edge.log, machineId, seq).filter(({ statusCode }) => statusCode !== 0)).toEqual([]);
    }
    const drops = edge.log
      .readAfter(headBefore, { limitEvents: 1_000, types: ["connection"] })
      .filter((event) => event.type === "connection" && event.data.state !== "connected");
    expect(drops).toEqual([]);

    // The history of the removed machine stays, and an edit that changes nothing gives no event.
    expect(goodSignals(edge.log, "redmond/press-02").size).toBeGreaterThan(3);
    const applied = edgeEvents().filter((event) => event.type === "config").length;
    writeFileSync(edge.configPath, `# a remark\n${readFileSync(edge.configPath, "utf8")}`);
    await delay(2_500);
    expect(edgeEvents().filter((event) => event.type === "config")).toHaveLength(applied);
    edge.stop();
    await edge.done;
    edge.log.close();
  });

  test("one wrong node and one wrong register are Bad by themselves; everything ends within 5 s", async () => {
    const edge = await startEdge(() =>
      factoryConfig()
        .replace(
          "machineTypes:\n",
          'machineTypes:\n  odd:\n    protocol: opcua\n    signals: { missing: "nsu=urn:wwi:redmond:machining;s=no.such.Node", noSpace: "nsu=urn:nowhere;s=x" }\n  oddpress:\n    protocol: modbus\n    signals: { beyond: { holding: 60000, type: uint16 } }\n',
        )
        .replace(
          /^machines:\n/m,
          "machines:\n  odd-01: { type: odd, connection: machining-line }\n  odd-02: { type: oddpress, connection: press-line, unitId: 1 }\n",
        ),
    );
    await until("mill-01 Good", () => goodSignals(edge.log, "redmond/mill-01").size > 30);
    await until("press-01 Good", () => goodSignals(edge.log, "redmond/press-01").size > 3);
    for (const [machineId, signal] of [
      ["redmond/odd-01", "missing"],
      ["redmond/odd-01", "noSpace"],
      ["redmond/odd-02", "beyond"],
    ] as const) {
      const sample = await until(`${signal} is Bad`, () =>
        everySample(edge.log, machineId).find((each) => each.signal === signal),
      );
      expect(severityOf(sample.statusCode)).toBe("bad");
      const problem = await until(`${signal} is explained`, () =>
        edge.log
          .readAfter(0, { limitEvents: 1_000, types: ["connection"] })
          .flatMap((event) => (event.type === "connection" ? event.data.problems : []))
          .find((each) => each.signal === signal),
      );
      expect(problem.message.length).toBeGreaterThan(20);
      expect(problem.hint.length).toBeGreaterThan(10);
    }
    const stoppedMs = performance.now();
    edge.stop();
    await edge.done;
    expect(performance.now() - stoppedMs).toBeLessThan(5_000);
    edge.log.close();
  });
});
