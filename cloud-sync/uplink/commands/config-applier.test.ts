import { createHash } from "node:crypto";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { openLog } from "../../../edge/log/log.ts";
import { logger, uplinkConfig } from "../../../test/support/link-harness.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { ConfigApplier } from "./config-applier.ts";

// Goal: what comes of a configuration is what the collector says of it, and a file is never lost on the way.

const UPLINK = "uplink: { identity: iot-edge, allow: [applyConfig] }\n";
const BEFORE = `site: redmond\n${UPLINK}machines:\n  press-01: { address: "modbus+tcp://h", signals: { x: { holding: 7 } } }\n`;
const AFTER = BEFORE.replace("holding: 7", "holding: 8");

async function applying(appliedMsMax: number, name = "tailstock.yaml") {
  const folder = tempFolder();
  const configPath = join(folder, name);
  writeFileSync(configPath, BEFORE);
  const log = openLog({ path: join(folder, "log.db"), commitIntervalMs: 5, clock: systemClock });
  onTestFinished(() => log.close());
  const server = createServer((_request, response) => response.end(AFTER));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const uplink = uplinkConfig({ kind: "iot-edge" }, { allow: ["applyConfig"] });
  const sha256 = createHash("sha256").update(AFTER).digest("hex");
  return {
    folder,
    log,
    configPath,
    sha256,
    reference: { url: `http://localhost:${(server.address() as AddressInfo).port}/c`, sha256: sha256.toUpperCase() },
    applier: new ConfigApplier({
      configPath,
      uplink,
      log,
      edgeStream: "redmond/edge",
      clock: systemClock,
      logger,
      appliedMsMax,
    }),
    told: (kind: "applied" | "refused", hash: string, problems: string[] = []) =>
      log.append(
        [
          {
            type: "config",
            machineId: "redmond/edge",
            timeMs: 1,
            data: { kind, path: configPath, sha256: hash, problems, changes: ["x changed"] },
          },
        ],
        "now",
      ),
  };
}

test("nobody applies it: it is in place, and the answer does not pretend more", async () => {
  const { applier, reference, configPath } = await applying(300);
  expect(await applier.apply(reference)).toMatchObject({
    status: 202,
    payload: { message: expect.stringContaining("nobody has said"), hint: expect.stringContaining("collector") },
  });
  expect(readFileSync(configPath, "utf8")).toBe(AFTER);
});

test("only the collector's word on this very file counts; while one is applied another is refused", async () => {
  const { applier, reference, told, sha256, configPath } = await applying(10_000);
  const answer = applier.apply(reference);
  expect(await applier.apply(reference)).toMatchObject({ status: 409 });
  await until("it is in place", () => readFileSync(configPath, "utf8") === AFTER);
  await told("refused", "another hash", ["of another file"]);
  await told("applied", sha256);
  expect(await answer).toMatchObject({ status: 200, payload: { sha256, changes: ["x changed"] } });
});

test("P29 the collector refuses it: the one before comes back", async () => {
  const { applier, reference, told, sha256, configPath } = await applying(10_000);
  const answer = applier.apply(reference);
  await until("it is in place", () => readFileSync(configPath, "utf8") === AFTER);
  await told("refused", sha256, ["tailstock.yaml:3:1 a secret is gone"]);
  expect(await answer).toMatchObject({
    status: 400,
    payload: { code: "CONFIG_INVALID", message: expect.stringContaining("a secret is gone") },
  });
  expect(readFileSync(configPath, "utf8")).toBe(BEFORE);
});

test("a configuration behind a link is replaced where it is, and the link stays", async () => {
  const { reference, folder, log } = await applying(100, "real.yaml");
  const link = join(folder, "tailstock.yaml");
  symlinkSync("real.yaml", link);
  const uplink = uplinkConfig({ kind: "iot-edge" }, { allow: ["applyConfig"] });
  const applier = new ConfigApplier({
    configPath: link,
    uplink,
    log,
    edgeStream: "redmond/edge",
    clock: systemClock,
    logger,
    appliedMsMax: 100,
  });
  expect((await applier.apply(reference)).status).toBe(202);
  expect(readFileSync(join(folder, "real.yaml"), "utf8")).toBe(AFTER);
  expect(readFileSync(join(folder, "real.yaml.previous"), "utf8")).toBe(BEFORE);
  expect(readFileSync(link, "utf8")).toBe(AFTER);
});

test("the uplink ends while it waits: the collector's word is still heard for a moment, then it says what it knows", async () => {
  const { applier, reference, told, sha256, configPath } = await applying(10_000);
  const ending = new AbortController();
  const answer = applier.apply(reference, ending.signal);
  await until("it is in place", () => readFileSync(configPath, "utf8") === AFTER);
  ending.abort();
  await told("applied", sha256);
  expect((await answer).status).toBe(200);
  writeFileSync(configPath, BEFORE);
  const again = new AbortController();
  const second = applier.apply(reference, again.signal);
  await until("it is in place again", () => readFileSync(configPath, "utf8") === AFTER);
  again.abort();
  expect(await second).toMatchObject({
    status: 202,
    payload: { message: expect.stringContaining("the uplink ended") },
  });
});
