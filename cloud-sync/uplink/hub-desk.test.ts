import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openLogReader } from "../../edge/log/reader.ts";
import { runEdge } from "../../edge/runtime/edge.ts";
import { DEVICE, keyConfig, logger } from "../../test/support/link-harness.ts";
import { type RunningHub, runHub } from "../../test/support/running-hub.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import type { JsonObject } from "../contract/event.ts";
import type { Json } from "../hub/ports.ts";

// Goal: what the office asks by the hub is done on a running box and recorded, and what it may not ask is refused and recorded.
// Method: the whole edge (collector and uplink) in this process, Microsoft's SDK, the real hub.

interface Box {
  readonly running: RunningHub;
  readonly configPath: string;
  text(): string;
  call(methodName: string, payload?: unknown): Promise<{ status: number; payload: JsonObject }>;
  commands(): JsonObject[];
  reported(): JsonObject;
  desire(desired: object): void;
}

function configText(uplink: string, machines: string): string {
  return `site: redmond\nlog: { path: tailstock.db, commitIntervalMs: 20 }\ndashboard: { enabled: false }\n${uplink}machines:\n${machines}`;
}
const MACHINE = '  press-01: { address: "modbus+tcp://127.0.0.1:1", signals: { temperature: { holding: 7 } } }\n';

async function startBox(allow: string): Promise<Box> {
  const running = await runHub();
  const { identity, caPath } = keyConfig(running);
  if (identity.kind !== "connection-string") throw new Error("it has a key");
  const folder = tempFolder();
  const configPath = join(folder, "tailstock.yaml");
  const uplink = `uplink: { connectionStringFile: ${identity.connectionStringPath}, ca: ${caPath}, latencyMs: 100, allow: ${allow} }\n`;
  writeFileSync(configPath, configText(uplink, MACHINE));
  const stop = new AbortController();
  const edge = runEdge({ configPath, logger, parts: ["collector", "uplink"] }, stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await edge;
  });
  const identityOf = { deviceId: DEVICE };
  await until("it listens to methods", () => running.hub.links.get(identityOf)?.invoke !== undefined);
  const log = openLogReader(join(folder, "tailstock.db"));
  onTestFinished(() => log.close());
  return {
    running,
    configPath,
    text: () => readFileSync(configPath, "utf8"),
    async call(methodName, payload = null) {
      const request = { methodName, payload: payload as Json, connectTimeoutMs: 5_000, responseTimeoutMs: 25_000 };
      return (await running.hub.links.invoke(identityOf, request)) as { status: number; payload: JsonObject };
    },
    commands: () =>
      log
        .readStream("redmond/edge", 0, { types: ["command"], limitEvents: 1_000 })
        .map(({ data }) => data as JsonObject),
    reported: () => (running.hub.twins.get(identityOf).reported.values.tailstock ?? {}) as JsonObject,
    desire: (desired) => void running.hub.twins.write(identityOf, { desired: desired as never }, "patch"),
  };
}

/** Serves texts on loopback; counts how often each was asked for. */
async function files(texts: Record<string, string>): Promise<{ url(name: string): string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = (request.url ?? "").slice(1).split("?")[0] ?? "";
    asked.push(name);
    if (name === "elsewhere") {
      response.writeHead(302, { location: "http://192.0.2.1/x" }).end();
      return;
    }
    const text = texts[name];
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { url: (name) => `http://127.0.0.1:${port}/${name}`, asked };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

test("ping, status, resend, setRate: done, answered, recorded", async () => {
  const box = await startBox("[status, ping, resend, setRate]");
  expect(await box.call("ping", { n: 3 })).toMatchObject({
    status: 200,
    payload: { pong: { n: 3 }, version: expect.any(String) },
  });
  const status = await box.call("status");
  expect(status).toMatchObject({ status: 200, payload: { uplink: { state: "connected", bytesPerSecondMax: null } } });
  const resend = await box.call("resend", { machine: "redmond/edge", fromSeq: 1, toSeq: 1_000_000 });
  expect(resend).toMatchObject({
    status: 200,
    payload: { machine: "redmond/edge", fromSeq: 1, toSeq: expect.any(Number) },
  });
  expect(resend.payload.toSeq).toBeLessThan(1_000);
  expect(await box.call("setRate", { bytesPerSecondMax: 5_000 })).toMatchObject({
    status: 200,
    payload: { bytesPerSecondMax: 5_000 },
  });
  expect(await box.call("setRate", { bytesPerSecondMax: 7_000, forSeconds: 1 })).toMatchObject({ status: 200 });
  await until("the rate has ended", () => box.reported().bytesPerSecondMax === "unlimited", 20_000);
  expect(box.commands().map(({ name, via, status: code, outcome }) => [name, via, code, outcome])).toEqual([
    ["ping", "method", 200, "done"],
    ["status", "method", 200, "done"],
    ["resend", "method", 200, "done"],
    ["setRate", "method", 200, "done"],
    ["setRate", "method", 200, "done"],
  ]);
  expect(box.commands()[3]).toMatchObject({ payload: { bytesPerSecondMax: 5_000 } });
});

test("what may not be asked is refused with a sentence and recorded: unknown, not allowed, malformed, nobody to do it", async () => {
  const box = await startBox("[ping, resend, activateModel]");
  const refused: [string, unknown, number, RegExp][] = [
    ["reboot", {}, 404, /no command 'reboot'/],
    ["setRate", { bytesPerSecondMax: 5_000 }, 403, /does not allow 'setRate'/],
    ["resend", { machine: "redmond/edge", fromSeq: 0, toSeq: 2 }, 400, /resend, fromSeq: 0 is not an integer from 1/],
    ["resend", { machine: "redmond/edge", fromSeq: 1 }, 400, /toSeq.*missing/],
    [
      "resend",
      { machine: "redmond/edge", fromSeq: 1, toSeq: 2, toSek: 3 },
      400,
      /unknown key 'toSek'; did you mean 'toSeq'/,
    ],
    ["resend", { machine: "redmond/mill-99", fromSeq: 1, toSeq: 2 }, 404, /no events of 'redmond\/mill-99'/],
    ["resend", { machine: "redmond/edge", fromSeq: 900_000, toSeq: 900_001 }, 409, /none of 900000 to 900001/],
    ["ping", [1], 400, /the payload of ping is not a map/],
    ["activateModel", { name: "m", version: "1" }, 501, /runs no models/],
  ];
  for (const [name, payload, status, message] of refused) {
    expect(await box.call(name, payload), name).toMatchObject({
      status,
      payload: { code: "COMMAND_REFUSED", message: expect.stringMatching(message), hint: expect.stringMatching(/./) },
    });
  }
  expect(box.commands().map(({ name, status, outcome }) => [name, status, outcome])).toEqual(
    refused.map(([name, , status]) => [name, status, "refused"]),
  );
});

test("messages are commands: carried out once for each id, however often they are delivered; nonsense is recorded", async () => {
  const box = await startBox("[ping]");
  const send = (body: string, messageId: string) =>
    box.running.hub.commands.enqueue({
      deviceId: DEVICE,
      body: Buffer.from(body),
      properties: {},
      system: { messageId },
      ack: "none",
    });
  await send('{"method":"ping","payload":{"n":1}}', "c-1");
  await send('{"method":"ping","payload":{"n":1}}', "c-1");
  await send("turn off", "c-2");
  await until("both", () => box.commands().length >= 2);
  await box.call("ping");
  expect(box.commands()).toMatchObject([
    { name: "ping", via: "message", messageId: "c-1", status: 200 },
    { name: "", via: "message", messageId: "c-2", status: 400, message: expect.stringContaining("no command") },
    { name: "ping", via: "method", status: 200 },
  ]);
});

test("a flood of commands is refused beyond its rate, and recorded by its count", async () => {
  const box = await startBox("[ping]");
  const answers = await Promise.all(Array.from({ length: 60 }, () => box.call("ping")));
  const refused = answers.filter(({ status }) => status === 429).length;
  expect(refused).toBeGreaterThan(30);
  const recorded = box.commands();
  expect(recorded.filter(({ status }) => status === 200)).toHaveLength(60 - refused);
  expect(recorded.filter(({ status }) => status === 429)).toHaveLength(1);
});

describe("a configuration by reference", () => {
  test("P24 of 10,000 signals, larger than a twin: by the twin, applied once, reported; the one before is kept", async () => {
    const box = await startBox("[ping, applyConfig]");
    const before = box.text();
    const signals = Array.from({ length: 10_000 }, (_, i) => `      s${i}: { holding: ${i}, unit: rpm }\n`).join("");
    const large = before.replace(
      MACHINE,
      `${MACHINE}  press-02:\n    address: "modbus+tcp://127.0.0.1:1"\n    signals:\n${signals}`,
    );
    expect(Buffer.byteLength(large)).toBeGreaterThan(32 * 1024);
    const served = await files({ "large.yaml": large });
    box.desire({ tailstock: { config: { url: served.url("large.yaml"), sha256: sha256(large) } } });
    const wish = (): JsonObject | undefined =>
      (box.reported().wishes as JsonObject | undefined)?.config as JsonObject | undefined;
    await until("it is applied and reported", () => wish()?.status === 200, 20_000);
    expect(box.text()).toBe(large);
    expect(readFileSync(`${box.configPath}.previous`, "utf8")).toBe(before);
    await until("its hash is reported", () => (box.reported().config as JsonObject).sha256 === sha256(large), 20_000);
    box.desire({ tailstock: { config: { url: served.url("large.yaml"), sha256: sha256(large) }, other: 1 } });
    await box.call("ping");
    expect(served.asked).toEqual(["large.yaml"]);
    expect(box.commands().filter(({ name }) => name === "applyConfig")).toMatchObject([
      { via: "twin", status: 200, outcome: "done" },
    ]);
  });

  test("P29 what is wrong with it is said, and the good one stays: hash, mistakes, address, redirect, missing", async () => {
    const box = await startBox("[applyConfig]");
    const before = box.text();
    const bad = before.replace("holding: 7", "holding: seven");
    const served = await files({ good: `${before}# more\n`, bad });
    const cases: [string, string, number, RegExp][] = [
      [served.url("good"), sha256("other"), 400, /has the sha256 [0-9a-f]{64}, not/],
      [served.url("bad"), sha256(bad), 400, /has mistakes: .*tailstock\.yaml:\d+:\d+ .*"seven" is not an integer/],
      [
        "http://192.0.2.1/x?sig=secret",
        sha256("x"),
        400,
        /'http:\/\/192\.0\.2\.1\/x\?…' is neither https nor on this box/,
      ],
      ["file:///etc/passwd", sha256("x"), 400, /neither https nor/],
      [served.url("elsewhere"), sha256("x"), 400, /neither https nor on this box/],
      [served.url("none"), sha256("x"), 500, /could not be fetched: the server answers 404/],
    ];
    for (const [url, hash, status, message] of cases) {
      expect(await box.call("applyConfig", { url, sha256: hash }), url).toMatchObject({
        status,
        payload: { message: expect.stringMatching(message) },
      });
    }
    expect(box.text()).toBe(before);
    expect(existsSync(`${box.configPath}.previous`)).toBe(false);
    expect(existsSync(`${box.configPath}.incoming`)).toBe(false);
    expect(JSON.stringify(box.commands())).not.toContain("sig=secret");
    // What says the same in other words is put in place, and nobody is waited for.
    const answer = await box.call("applyConfig", { url: served.url("good"), sha256: sha256(`${before}# more\n`) });
    expect(answer).toMatchObject({ status: 200, payload: { changes: [] } });
    expect(box.text()).toBe(`${before}# more\n`);
  });

  test("one that would cut the box off is refused unless it is meant", async () => {
    const box = await startBox("[applyConfig]");
    const before = box.text();
    const without = before.replace(/uplink:.*\n/, "");
    const deaf = before.replace("allow: [applyConfig]", "allow: [ping]");
    const elsewhere = before.replace("latencyMs: 100", "latencyMs: 100, transport: mqtt-ws");
    const served = await files({ without, deaf, "other-transport": elsewhere });
    for (const [name, text, message] of [
      ["without", without, /has no uplink/],
      ["deaf", deaf, /no longer allows applyConfig/],
      ["other-transport", elsewhere, /changes transport of the uplink/],
    ] as const) {
      expect(await box.call("applyConfig", { url: served.url(name), sha256: sha256(text) }), name).toMatchObject({
        status: 409,
        payload: { message: expect.stringMatching(message), hint: expect.stringContaining("force") },
      });
    }
    expect(box.text()).toBe(before);
    // The uplink ends with it, so that its answer may not arrive; the file says what came of it.
    await box
      .call("applyConfig", { url: served.url("without"), sha256: sha256(without), force: true })
      .catch(() => undefined);
    await until("it is in place", () => box.text() === without);
    await until("the box has gone", () => box.running.hub.links.get({ deviceId: DEVICE }) === undefined);
  });
});

test("the twin tells versions, backlog, certificates, commands, time to full; only what changed; wishes for a rate hold and go", async () => {
  const box = await startBox("[ping, setRate]");
  await until("it is reported", () => box.reported().backlog !== undefined);
  const reported = box.reported();
  expect(reported).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    node: process.version,
    config: { sha256: sha256(box.text()) },
    condition: expect.any(String),
    commands: ["status", "ping", "resend", "setRate"].filter((name) => name === "ping" || name === "setRate"),
    backlog: {
      priorityEvents: expect.any(Number),
      telemetryEvents: expect.any(Number),
      lagSeconds: expect.any(Number),
    },
    certificates: {
      hubAuthority: { subject: expect.stringContaining("Tailstock hub"), expires: expect.stringMatching(/^20\d\d-/) },
    },
  });
  expect(reported).toHaveProperty("timeToFullSeconds");
  const { version } = box.running.hub.twins.get({ deviceId: DEVICE }).reported;
  box.desire({ tailstock: { rate: 9_000, config: { url: "https://x.invalid/y", sha256: sha256("y") } } });
  await until("the rate holds", () => box.reported().bytesPerSecondMax === 9_000);
  const wishes = await until("both results", () => {
    const all = box.reported().wishes as JsonObject;
    return all.config !== undefined && all.rate !== undefined && all;
  });
  expect(wishes).toMatchObject({
    rate: { status: 200 },
    config: { status: 403, message: expect.stringContaining("does not allow") },
  });
  box.desire({ tailstock: { rate: null, config: null } });
  await until("it is over", () => box.reported().bytesPerSecondMax === "unlimited");
  await until("and forgotten", () => Object.keys((box.reported().wishes as JsonObject | undefined) ?? {}).length === 0);
  expect(box.running.hub.twins.get({ deviceId: DEVICE }).reported.version - version).toBeLessThan(12);
});
