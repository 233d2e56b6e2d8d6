import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { uplinkStatePathOf } from "../../cloud-sync/uplink/state/schema.ts";
import { openUplinkStateReader } from "../../cloud-sync/uplink/state/state-reader.ts";
import { HubReader } from "../../test/support/hub-reader.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import { connectionsOf, startHub } from "../cli/demo/hub-process.ts";
import { openLogReader } from "../log/reader.ts";
import { createFactory } from "../simulator/factory.ts";
import { renderConfig } from "../simulator/render-config.ts";
import { runEdge } from "./edge.ts";

// Goal: the uplink comes, changes and goes with the configuration while the collector goes on as if nothing had happened.
test("P05 uplink: is added, changed and removed in a running collector, whose connections are not touched", async () => {
  const folder = tempFolder();
  const stop = new AbortController();
  const factory = createFactory({ seed: 7, mills: 1, lathes: 0, presses: 1 });
  await factory.start();
  const hub = await startHub({ folder: join(folder, "hub"), devices: ["box"], nodeArguments: [], signal: stop.signal });
  const { devices, eventsPlain } = connectionsOf(hub);
  writeFileSync(join(folder, "uplink.connection"), devices.box ?? "");
  const configPath = join(folder, "tailstock.yaml");
  const { opcuaEndpointUrl, modbusPort, size, site } = factory;
  const write = (uplink: string) =>
    writeFileSync(
      configPath,
      `${renderConfig({ opcuaEndpointUrl, modbusPort, size, site, logPath: "log.db" })}${uplink}`,
    );
  const uplinkOf = (more: string) =>
    `uplink: { connectionStringFile: uplink.connection, ca: ${hub.addresses.ca}${more} }\n`;
  write("");
  const ready = Promise.withResolvers<void>();
  const running = runEdge(
    { configPath, logger: pino({ level: "silent" }), parts: ["collector", "uplink"], onReady: () => ready.resolve() },
    stop.signal,
  );
  await Promise.race([ready.promise, running]);
  const log = openLogReader(join(folder, "log.db"));
  await using reader = new HubReader(eventsPlain ?? "");
  using state = openUplinkStateReader(uplinkStatePathOf(log.path));
  const status = () => state.status();
  await until("readings in the log", () => log.head() > 10);
  expect(status()).toBeUndefined();
  const opened = () =>
    log
      .readStream(`${site}/edge`, 0, { limitEvents: 10_000, types: ["connection"] })
      .flatMap((event) =>
        event.type === "connection" && event.data.protocol !== "iothub" && event.data.state === "connecting"
          ? [event.data.connectionId]
          : [],
      );
  const openedBefore = opened();

  write(uplinkOf(""));
  await until("the hub has readings", () => reader.events > 20, 30_000);
  expect(status()).toMatchObject({ state: "connected", gatherMs: 5_000 });
  const sinceMs = status()?.sinceMs ?? 0;

  write(uplinkOf(", latencyMs: 1500"));
  await until("another latency", () => status()?.gatherMs === 1_500 && status()?.state === "connected");
  expect(status()?.sinceMs).toBeGreaterThan(sinceMs);
  const before = reader.events;
  await until("it goes on", () => reader.events > before + 5);

  // A change elsewhere leaves the uplink alone.
  const changedMs = status()?.sinceMs;
  writeFileSync(configPath, readFileSync(configPath, "utf8").replace("timeoutMs: 1000", "timeoutMs: 1100"));
  const applied = () =>
    log
      .readStream(`${site}/edge`, 0, { limitEvents: 10_000, types: ["config"] })
      .flatMap((event) => (event.type === "config" && event.data.kind === "applied" ? event.data.changes : []));
  await until("the other change", () => applied().some((sentence) => sentence.includes("timeoutMs")));
  expect(status()?.sinceMs).toBe(changedMs);

  write("");
  await until("the end of the uplink", () => status()?.state === "stopped");
  await until("the end of it in the log", () =>
    applied().some((sentence) => sentence.startsWith("uplink was removed")),
  );
  expect(applied()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^uplink was added/),
      expect.stringMatching(/^uplink: latencyMs changed/),
      expect.stringMatching(/^uplink was removed/),
    ]),
  );
  // Of the machines' connections only that whose own setting was changed was opened again (and back again).
  expect(new Set(opened().slice(openedBefore.length))).toEqual(new Set(["press-line"]));
  stop.abort();
  await running;
  log.close();
  await Promise.all([factory.stop(), hub.stop()]);
}, 120_000);
