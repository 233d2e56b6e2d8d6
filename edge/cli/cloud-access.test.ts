import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Client, TestOffice } from "../../test/support/office.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { Cli } from "./cli.ts";
import { cloudAccountsCommand } from "./commands/cloud/accounts.ts";
import { cloudTokenCommand } from "./commands/cloud/token.ts";
import { Output } from "./output.ts";

let office: TestOffice;
beforeAll(async () => {
  office = await TestOffice.start();
});
afterAll(() => office[Symbol.asyncDispose]());

/** The command's result, as a script reads it. */
async function run(...args: string[]): Promise<ReturnType<typeof JSON.parse>> {
  const cwd = tempFolder();
  writeFileSync(join(cwd, "url"), office.database.url);
  writeFileSync(join(cwd, "cloud.yaml"), "database: { urlFile: url }\n");
  const cli: Cli = {
    output: new Output({ json: true, colour: false, debug: false }),
    cwd,
    clock: office.clock,
    signal: new AbortController().signal,
    logLevel: "error",
    environment: {},
    nodeArguments: [],
    problemFound: () => undefined,
  };
  let printed = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    const program = new Command("cloud").exitOverride();
    program.addCommand(cloudAccountsCommand(cli)).addCommand(cloudTokenCommand(cli));
    await program.parseAsync(args, { from: "user" });
  } finally {
    write.mockRestore();
  }
  return JSON.parse(printed);
}
const roleOf = async (client: Client) => (await client.get("/api/session")).body.person?.role;

test("accounts are made, changed, shut out and removed beside an office that runs", async () => {
  const made = await run("accounts", "add", "Anna Adams", "--role", "administrator");
  const anna = new Client(office.url);
  expect((await anna.login("anna adams", made.password)).status).toBe(200);
  // The last administrator can't be.
  await expect(run("accounts", "remove", "Anna Adams")).rejects.toMatchObject({ code: "SERVICE_REFUSED" });
  await run("accounts", "add", "Bo", "--role", "administrator");
  await run("accounts", "role", "Anna Adams", "viewer");
  expect(await roleOf(anna)).toBe("viewer");
  const renewed = await run("accounts", "password", "Anna Adams");
  expect(await roleOf(anna)).toBeUndefined();
  expect((await anna.login("Anna Adams", renewed.password)).status).toBe(200);
  await run("accounts", "disable", "Anna Adams");
  expect(await roleOf(anna)).toBeUndefined();
  const listed = await run("accounts", "list");
  expect(listed).toMatchObject([
    { name: "Anna Adams", disabled: true },
    { name: "Bo", role: "administrator" },
  ]);
  expect(listed[0].changedBy).toMatch(/at the command line$/);
  expect(JSON.stringify(listed)).not.toMatch(/scrypt/);
  await run("accounts", "enable", "Anna Adams");
  expect((await anna.login("Anna Adams", renewed.password)).status).toBe(200);
  await run("accounts", "remove", "Anna Adams");
  await expect(run("accounts", "remove", "Anna Adams")).rejects.toMatchObject({ code: "USAGE" });
  await expect(run("accounts", "add", "C", "--role", "root")).rejects.toMatchObject({ code: "USAGE" });
  await expect(run("accounts", "add", "a\u001b[2J", "--role", "viewer")).rejects.toMatchObject({
    code: "SERVICE_REFUSED",
  });
});

test("tokens are made, listed without their secret, and revoked", async () => {
  const { token } = await run("token", "add", "mirror", "--role", "viewer", "--factory", "redmond", "--days", "30");
  const program = new Client(office.url, token);
  expect((await program.get("/api/session")).body.person).toMatchObject({ name: "mirror", factoryId: "redmond" });
  const listed = await run("token", "list");
  expect(listed).toMatchObject([{ name: "mirror", factoryId: "redmond", role: "viewer" }]);
  expect(JSON.stringify(listed)).not.toContain(token.slice(5));
  await run("token", "remove", "mirror");
  expect((await program.get("/api/session")).status).toBe(401);
  await expect(run("token", "remove", "mirror")).rejects.toMatchObject({ code: "USAGE" });
});
