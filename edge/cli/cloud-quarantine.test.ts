import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Quarantine } from "../../cloud-sync/ingest/quarantine.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import type { Cli } from "./cli.ts";
import { cloudQuarantineCommand } from "./commands/cloud/quarantine.ts";
import { Output } from "./output.ts";

let server: TestDatabase;
let cwd: string;
beforeAll(async () => {
  server = await testDatabase();
  cwd = tempFolder(afterAll);
  writeFileSync(join(cwd, "url"), server.url);
  writeFileSync(join(cwd, "cloud.yaml"), "database: { urlFile: url }\n");
});
afterAll(() => server[Symbol.asyncDispose]());

async function run(json: boolean, ...args: string[]): Promise<{ readonly text: string; readonly problems: number }> {
  let problems = 0;
  const cli: Cli = {
    output: new Output({ json, colour: false, debug: false }),
    cwd,
    clock: systemClock,
    signal: new AbortController().signal,
    logLevel: "error",
    environment: {},
    nodeArguments: [],
    problemFound: () => {
      problems++;
    },
  };
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += String(part);
    return true;
  });
  try {
    const program = new Command("cloud").exitOverride().addCommand(cloudQuarantineCommand(cli));
    await program.parseAsync(["quarantine", ...args], { from: "user" });
  } finally {
    write.mockRestore();
  }
  return { text, problems };
}

test("P10 the quarantine is listed, shown, exported, put in again and emptied by commands", async () => {
  expect((await run(false, "list")).text).toContain("nothing is set aside");
  const message = (sequenceNumber: number, body: string) => ({
    hubKey: "hub@1",
    partition: "2",
    sequenceNumber,
    offset: "",
    enqueuedMs: 1_780_000_000_000,
    deviceId: "press\u001b[31m",
    contentType: "application/json",
    body: Buffer.from(body),
    properties: { line: "7" },
    systemProperties: {},
  });
  await new Quarantine({ database: server.database }).add([
    {
      message: message(1, '{"machineId":"m","speed":3}'),
      refusals: [{ message: 1, code: "store", reason: "it was full" }],
    },
    { message: message(2, "no json"), refusals: [{ message: 2, code: "malformed", reason: "no JSON" }] },
  ]);
  const listed = await run(true, "list");
  expect(listed.problems).toBe(1);
  const ids = (JSON.parse(listed.text).messages as { id: number }[]).map(({ id }) => String(id)).reverse();
  const shown = await run(false, "list");
  expect(shown.text).toContain("it was full (store)");
  expect(shown.text).not.toContain("\u001b");
  expect((await run(false, "show", ids[1] ?? "")).text).toContain("no json");
  await run(false, "export", ids[1] ?? "", "bad.bin");
  expect(readFileSync(join(cwd, "bad.bin"), "utf8")).toBe("no json");
  expect(JSON.parse(readFileSync(join(cwd, "bad.bin.json"), "utf8"))).toMatchObject({
    properties: { line: "7" },
    code: "malformed",
  });
  await expect(run(false, "export", ids[1] ?? "", "bad.bin")).rejects.toMatchObject({ code: "USAGE" });
  await expect(run(false, "replay")).rejects.toMatchObject({ code: "USAGE" });
  const replayed = await run(true, "replay", "--all");
  expect(JSON.parse(replayed.text)).toEqual({ stored: 1, events: 1, refused: 1 });
  expect(replayed.problems).toBe(1);
  expect(JSON.parse((await run(true, "remove", ids[1] ?? "")).text)).toEqual({ removed: 1 });
  await expect(run(false, "show", ids[1] ?? "")).rejects.toMatchObject({ code: "USAGE" });
  expect((await run(false, "list")).problems).toBe(0);
});
