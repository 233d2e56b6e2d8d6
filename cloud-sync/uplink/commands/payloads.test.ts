import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UPLINK_COMMANDS } from "../../../edge/kernel/config/model.ts";
import type { JsonObject } from "../../contract/event.ts";
import { checkPayload, PAYLOAD_SCHEMAS } from "./payloads.ts";
import { commandRecord, withoutQuery } from "./record.ts";

test("COMMANDS.md has a row for each command, with each key of its payload", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "COMMANDS.md"), "utf8");
  for (const command of UPLINK_COMMANDS) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${command}\` |`));
    expect(row, command).toBeDefined();
    const { properties = {} } = PAYLOAD_SCHEMAS[command] as { properties?: JsonObject };
    for (const key of Object.keys(properties)) expect(row).toContain(key);
  }
});

const hash = "ab".repeat(32);
test.each([
  ["status", null, undefined],
  ["status", "", undefined],
  ["status", { verbose: true }, /status, verbose: unknown key/],
  ["ping", { any: [1] }, undefined],
  ["ping", "x", /payload of ping is not a map/],
  ["setRate", {}, undefined],
  ["setRate", { bytesPerSecondMax: null, forSeconds: 60 }, undefined],
  ["setRate", { bytesPerSecondMax: 999 }, /bytesPerSecondMax: 999 is not an integer from 1000/],
  [
    "setRate",
    { bytesPerSecondMax: 5_000, forSeconds: 604_801 },
    /forSeconds: 604801 is not an integer from 1 to 604800/,
  ],
  ["applyConfig", { url: "https://x/y", sha256: hash, force: true }, undefined],
  ["applyConfig", { url: "https://x/y", sha256: "abc" }, /sha256: "abc" is not/],
  ["applyConfig", { sha256: hash }, /key 'url' is missing/],
  ["activateModel", { name: "spindle", version: "1.2.0" }, undefined],
  ["activateModel", { name: "../x", version: "1" }, /name: "\.\.\/x" is not/],
] as const)("%s %j", (command, payload, message) => {
  const checked = checkPayload(command, payload);
  if (message === undefined) expect(checked).toHaveProperty("payload");
  else
    expect(checked).toMatchObject({ message: expect.stringMatching(message), hint: expect.stringContaining(command) });
});

test("a record holds small payloads, the hash of large ones, and no signatures of addresses", () => {
  const answer = { status: 200, payload: {} } as const;
  const small = commandRecord(
    { name: "applyConfig", payload: { url: "https://u:p@h/c?sig=s#f", n: [1] }, via: "method" },
    answer,
    1.6,
  );
  expect(small).toEqual({
    name: "applyConfig",
    via: "method",
    payload: { url: "https://…@h/c?…", n: [1] },
    outcome: "done",
    status: 200,
    durationMs: 2,
  });
  const large = commandRecord(
    { name: "x".repeat(500), payload: "y".repeat(2_000), via: "message", messageId: "m" },
    answer,
    0,
  );
  expect(large).toMatchObject({
    payloadBytes: 2_002,
    payloadSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    messageId: "m",
  });
  expect(large).not.toHaveProperty("payload");
  expect(JSON.stringify(large).length).toBeLessThan(500);
  expect(withoutQuery("https://h/c")).toBe("https://h/c");
});
