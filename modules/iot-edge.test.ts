import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { decodeMessage } from "../cloud-sync/contract/frame/message.ts";
import { systemClock } from "../edge/kernel/clock.ts";
import { openLog } from "../edge/log/log.ts";
import { sampleOf, telemetryOf } from "../test/support/events.ts";
import { startModule } from "../test/support/module-process.ts";
import { connectionString, eventsOf, runHub } from "../test/support/running-hub.ts";
import { tempFolder } from "../test/support/temp-folder.ts";
import { until } from "../test/support/until.ts";

// The uplink's container as the IoT Edge runtime starts it: who it is stands in the runtime's variables alone.
test("identity iot-edge: the module sends as itself, each lane by the output that the deployment routes", async () => {
  const running = await runHub();
  const identity = { deviceId: "box", moduleId: "uplink" };
  running.hub.registry.create({ deviceId: "box" }, {});
  running.hub.registry.create(identity, {});
  const folder = tempFolder();
  const configPath = join(folder, "tailstock.yaml");
  const caPath = join(folder, "ca.pem");
  writeFileSync(caPath, running.ca);
  writeFileSync(
    configPath,
    `site: redmond
log: { path: log.db }
uplink: { identity: iot-edge, latencyMs: 500 }
machines: { mill-01: { address: "opc.tcp://127.0.0.1:4840", signals: { speed: { node: "ns=2;s=Speed" } } } }
`,
  );
  const log = openLog({ path: join(folder, "log.db"), clock: systemClock });
  onTestFinished(() => log.close());
  const timeMs = Date.now();
  await log.append(
    [
      { type: "alarm", machineId: "redmond/mill-01", timeMs, data: { text: "spindle too hot" } },
      telemetryOf("redmond/mill-01", [sampleOf("speed", 8_001)], timeMs),
      telemetryOf("redmond/mill-02", [sampleOf("speed", 8_002)], timeMs),
    ],
    "now",
  );
  const module = startModule("uplink", {
    configPath,
    cwd: folder,
    env: { EdgeHubConnectionString: connectionString(running, identity), EdgeModuleCACertificateFile: caPath },
  });
  onTestFinished(() => void module.child.kill("SIGKILL"));
  const sent = () =>
    eventsOf(running.hub).map(({ source, system, body }) => {
      const { blocks, events } = decodeMessage({ contentType: system.contentType ?? "", body });
      const all = [...blocks.flatMap(({ block }) => block.events()), ...events];
      return { source, output: system.outputName, types: all.map(({ type, machineId }) => `${type} ${machineId}`) };
    });
  const of = (output: string) =>
    sent()
      .filter((each) => each.output === output)
      .flatMap(({ types }) => types);
  await until(`the telemetry lane's message: ${module.output()}`, () => of("telemetry").length >= 3, 30_000);
  expect(of("priority")).toContain("alarm redmond/mill-01");
  expect(of("priority").filter((type) => type.startsWith("telemetry"))).toEqual([]);
  expect(of("telemetry")).toEqual(
    expect.arrayContaining(["alarm redmond/mill-01", "telemetry redmond/mill-01", "telemetry redmond/mill-02"]),
  );
  expect(new Set(sent().map(({ source }) => `${source?.deviceId}/${source?.moduleId}`))).toEqual(
    new Set(["box/uplink"]),
  );
  module.child.kill("SIGTERM");
  expect(await module.ended).toBe(0);
}, 60_000);
