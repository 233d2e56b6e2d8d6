import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { invalid, parseConfig, parseConfigBytes } from "../../edge/kernel/config/load.ts";
import { machinesOf } from "../../edge/kernel/config/model.ts";
import type { ConfigProblem } from "../../edge/kernel/config/problem.ts";

// Each folder is a tailstock.yaml with what it must become: expected.json (configuration and warnings), or
// expected-errors.txt (every problem in the words a technician reads, the hint under it).
const folder = join(import.meta.dirname, "config");
const cases = readdirSync(folder).sort();

function told(problem: ConfigProblem): string {
  const { line, column, path, message, hint } = problem;
  return `tailstock.yaml:${line}:${column} ${path === "" ? "" : `${path}: `}${message}\n    ${hint}\n`;
}

test("there is a case for every kind of mistake", () => {
  expect(cases.length).toBeGreaterThan(60);
});

test.each(cases)("golden config %s", (name) => {
  const path = join(folder, name, "tailstock.yaml");
  const parsed = parseConfigBytes(readFileSync(path), path);
  const files = readdirSync(join(folder, name));
  expect(
    files.filter((file) => file.startsWith("expected")),
    "one expectation",
  ).toHaveLength(1);
  if ("problems" in parsed) {
    expect(parsed.problems.map(told).join("")).toBe(readFileSync(join(folder, name, "expected-errors.txt"), "utf8"));
    for (const problem of parsed.problems) {
      expect(problem.file).toBe(path);
      expect(problem.hint).not.toBe("");
    }
    expect(invalid(parsed.problems).message.split("\n")).toHaveLength(parsed.problems.length);
    return;
  }
  const found = { config: parsed.config, warnings: parsed.warnings.map(told) };
  const text = JSON.stringify(found).replaceAll(join(folder, name), "<folder>");
  expect(JSON.parse(text)).toEqual(JSON.parse(readFileSync(join(folder, name, "expected.json"), "utf8")));
});

test("ten thousand signals take less than four hundred lines", () => {
  const signals = Array.from({ length: 100 }, (_, i) => `      s${i}: { node: "ns=2;s=\${machine}.S${i}", unit: rpm }`);
  const machines = Array.from(
    { length: 100 },
    (_, i) => `  mill-${i}: { type: mill, address: "opc.tcp://10.0.1.${i}" }`,
  );
  const text = [
    "site: redmond",
    "machineTypes:",
    "  mill:",
    "    protocol: opcua",
    "    signals:",
    ...signals,
    "machines:",
    ...machines,
    "",
  ].join("\n");
  expect(text.split("\n").length).toBeLessThan(400);
  const startMs = performance.now();
  const parsed = parseConfig(text, { path: "tailstock.yaml" });
  console.info(`10,000 signals parsed in ${Math.round(performance.now() - startMs)} ms`);
  if ("problems" in parsed) throw invalid(parsed.problems);
  const all = machinesOf(parsed.config);
  expect(all).toHaveLength(100);
  expect(new Set(all.flatMap((m) => m.signals.map((s) => ("node" in s ? s.node : "")))).size).toBe(10_000);
  expect(parsed.config.connections[99]?.machines[0]?.signals[42]).toMatchObject({
    name: "s42",
    node: "ns=2;s=mill-99.S42",
  });
});
