import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runCli, temporaryFolder } from "./testing.ts";

const root = join(import.meta.dirname, "..", "..");
const COMMANDS = ["demo", "up", "status", "machines", "tail", "read", "browse", "certs", "config"];

test("help names every command, and each has its own with --json in it", async () => {
  const cwd = temporaryFolder();
  const { code, stdout } = await runCli(["--help"], { cwd });
  expect(code).toBe(0);
  for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  const helps = await Promise.all(["tail", "config"].map((command) => runCli([command, "--help"], { cwd })));
  for (const help of helps)
    expect({ code: help.code, json: help.stdout.includes("--json") }).toEqual({ code: 0, json: true });
});

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect((await runCli(["--version"], { cwd: temporaryFolder() })).stdout.trim()).toBe(version);
});

test.each([
  [["statsu"], /unknown command 'statsu'\n.*Did you mean status/],
  [["status", "--lgo", "x"], /unknown option '--lgo'\n.*Did you mean --log/],
  [["tail", "--since", "5x"], /"5x" is neither a duration nor a time\n {2}Write 30s/],
  [["tail", "--type", "telemetri"], /"telemetri" is not a type of event\n {2}Known: telemetry/],
  [["browse"], /missing required argument 'endpoint'/],
  [["config"], /a command is missing/],
  [["read", "http://127.0.0.1:1", "x"], /http/],
  [["read", "modbus+tcp://127.0.0.1:70000", "holding:1"], /70000/],
  [["read", "modbus+tcp://127.0.0.1:502", "holding:1:float99"], /"float99" is not a type/],
  [["browse", "modbus+tcp://127.0.0.1:502"], /no address space/],
  [["up", "--log-level", "loud", "-c", "tailstock.yaml"], /"loud" is not a level/],
])("wrong use %j: exit code 2 and a clear sentence", async (args, sentence) => {
  const cwd = temporaryFolder();
  writeFileSync(
    join(cwd, "tailstock.yaml"),
    "site: redmond\nmachines: { oven: { address: 'opc.tcp://127.0.0.1:4841', signals: { t: 'ns=1;s=T' } } }\n",
  );
  const { code, stderr, stdout } = await runCli(args, { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("wrong use with --json is a JSON error", async () => {
  const { code, stderr } = await runCli(["--json", "statsu"], { cwd: temporaryFolder() });
  expect(code).toBe(2);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: "USAGE", message: "unknown command 'statsu'" } });
});

test("TAILSTOCK_DEBUG adds the stack trace that is otherwise kept back", async () => {
  const { stderr } = await runCli(["status"], { cwd: temporaryFolder(), env: { TAILSTOCK_DEBUG: "1" } });
  expect(stderr).toMatch(/\n\s+at /);
});

test("config check: fine, with what it describes", async () => {
  const cwd = join(root, "test", "golden", "config", "valid-all-fields");
  const { code, stdout } = await runCli(["config", "check"], { cwd });
  expect(stdout).toMatch(/^tailstock\.yaml: fine, 4 machines with \d+ signals on \d connections$/m);
  expect(code).toBe(0);
});

test("config check: every mistake with file, line and column, exit code 1", async () => {
  const cwd = temporaryFolder();
  const text =
    "site: redmond\nmachines:\n  oven-01:\n    address: opc.tcp://127.0.0.1:99999\n    signals:\n      t: { node: 'ns=1;s=T', unti: rpm }\n";
  writeFileSync(join(cwd, "mine.yaml"), text);
  const { code, stdout } = await runCli(["config", "check", "mine.yaml"], { cwd });
  expect(code).toBe(1);
  expect(stdout).toMatch(/^mine\.yaml:4:\d+: machines\.oven-01\.address: .*99999/m);
  expect(stdout).toMatch(/^mine\.yaml:6:\d+: machines\.oven-01\.signals\.t.*unti/m);
  expect(stdout).toMatch(/^mine\.yaml: 2 problems$/m);
  const json = await runCli(["config", "check", "mine.yaml", "--json"], { cwd });
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ line: 4 }, { line: 6 }] });
  expect((await runCli(["config", "check", "nowhere.yaml"], { cwd })).stderr).toMatch(/nowhere\.yaml.*can't be read/);
});

test("config schema is a JSON schema that closes its objects", async () => {
  const { code, stdout } = await runCli(["config", "schema"], { cwd: temporaryFolder() });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    type: "object",
    additionalProperties: false,
    properties: { machines: {} },
  });
});

test("up with a broken configuration says what is wrong and does not start", async () => {
  const cwd = temporaryFolder();
  writeFileSync(
    join(cwd, "tailstock.yaml"),
    "site: redmond\nmachines:\n  oven-01: { type: nothing, address: 'opc.tcp://127.0.0.1:4841' }\n",
  );
  const { code, stderr } = await runCli(["up"], { cwd });
  expect(code).toBe(1);
  expect(stderr).toMatch(/tailstock\.yaml:3:\d+ machines\.oven-01\.type/);
});
