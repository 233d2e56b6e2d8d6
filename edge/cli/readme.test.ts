import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { parseCloudConfig } from "../../cloud-sync/config/load.ts";
import { systemClock } from "../kernel/clock.ts";
import { parseConfig } from "../kernel/config/load.ts";
import { Output } from "./output.ts";
import { createProgram } from "./program.ts";

// What the README tells a stranger to type must work; files that it names are those of the golden configuration.
const root = join(import.meta.dirname, "..", "..");
const readme = readFileSync(join(root, "README.md"), "utf8");

const MACHINE = `machines: { m: { address: "modbus+tcp://127.0.0.1", signals: { x: { coil: 0 } } } }\n`;

test("the YAML in the README is a configuration without mistakes", () => {
  const blocks = [...readme.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? "");
  expect(blocks.length).toBeGreaterThanOrEqual(2);
  for (const block of blocks) {
    if (block.startsWith("# cloud.yaml")) {
      const config = parseCloudConfig(block, join(root, "test/golden/cloud/all-parts/cloud.yaml"));
      expect(config).toMatchObject({ company: "Wide World Importers", hub: { consumerGroup: "tailstock" } });
      continue;
    }
    const site = block.startsWith("site:") ? "" : "site: redmond\n";
    const machines = /^machines:/m.test(block) ? "" : MACHINE;
    const text = `${site}${machines}${block}`;
    expect(parseConfig(text, { path: join(root, "test/golden/config/valid-all-fields/tailstock.yaml") })).toMatchObject(
      {
        config: { site: "redmond" },
        warnings: [],
      },
    );
  }
});

test("the commands in the README exist", () => {
  const named = [
    ...readme.matchAll(
      /npx tailstock ([a-z]+(?: (?:list|trust|own|check|schema|inject|faults|usage|verify|backup|restore|salvage|simulate-outage|line|bill|status|dead-letters|up|query))?)/g,
    ),
  ];
  const commands = [...new Set(named.map(([, command]) => command ?? ""))];
  expect(commands.length).toBeGreaterThanOrEqual(9);
  const program = createProgram({
    output: new Output({ json: false, colour: false, debug: false }),
    cwd: root,
    clock: systemClock,
    signal: new AbortController().signal,
    logLevel: "info",
    environment: {},
    nodeArguments: [],
    problemFound: () => undefined,
  });
  for (const command of commands) {
    let at: Command | undefined = program;
    for (const name of command.split(" ")) at = at?.commands.find((sub) => sub.name() === name);
    expect({ command, exists: at !== undefined }).toEqual({ command, exists: true });
  }
});

test("the scripts and folders in the README exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const [, script] of readme.matchAll(/^npm (?:run )?(start|test|bench)\b/gm))
    expect(scripts).toHaveProperty(script ?? "");
  const paths = [...readme.matchAll(/^\| `([^`]+\/)`/gm)].map(([, path]) => path ?? "");
  const links = [...readme.matchAll(/\]\(((?:edge|test)\/[^)]+)\)/g)].map(([, path]) => path ?? "");
  expect(paths.length).toBeGreaterThanOrEqual(8);
  for (const path of [...paths, ...links])
    expect({ path, exists: existsSync(join(root, path)) }).toEqual({ path, exists: true });
});
