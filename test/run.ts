import { spawnSync } from "node:child_process";
import { join } from "node:path";

// What `npm test` runs: type check, linter and format, tests. Each step's output is shown as it comes; the first red one ends it.
const root = join(import.meta.dirname, "..");
const bin = (...parts: string[]): string => join(root, "node_modules", ...parts);
const args = process.argv.slice(2);
const steps: [name: string, args: string[]][] = [
  ["type check", [bin("typescript", "bin", "tsc"), "--noEmit", "-p", root]],
  ["linter and format", [bin("@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings", root]],
];
if (!args.includes("--no-tests")) {
  steps.push(["tests", [bin("vitest", "vitest.mjs"), "run", "--root", root, ...args]]);
}
for (const [name, stepArgs] of steps) {
  const startedMs = performance.now();
  process.stdout.write(`\n── ${name}\n`);
  const { status, signal } = spawnSync(process.execPath, stepArgs, { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    process.stdout.write(`\n── ${name} failed${signal ? ` (${signal})` : ""}\n`);
    process.exit(status ?? 1);
  }
  process.stdout.write(`── ${name}: passed in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
}
