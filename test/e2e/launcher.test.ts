import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type onTestFinished, test } from "vitest";
import { tempFolder } from "../support/temp-folder.ts";

const root = join(import.meta.dirname, "..", "..");

/** What the launcher needs of a fresh clone, and nothing of what it installs. */
function freshClone(onEnd: typeof onTestFinished): string {
  const folder = tempFolder(onEnd);
  for (const path of [
    "package.json",
    "package-lock.json",
    "edge/cli/launcher.mjs",
    "edge/cli/node-flags.json",
    "edge/cli/node-env.json",
  ]) {
    cpSync(join(root, path), join(folder, path));
  }
  return folder;
}

function launch(folder: string, args: readonly string[]): Promise<{ status: number | null; text: string }> {
  // Nobody listens on port 1: the registry is out of reach at once, as behind a closed firewall.
  const env = { ...process.env, npm_config_registry: "http://127.0.0.1:1", npm_config_cache: join(folder, "cache") };
  return new Promise((resolve) => {
    const launcher = join(folder, "edge/cli/launcher.mjs");
    const child = execFile(process.execPath, [launcher, ...args], { cwd: folder, env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode, text: stdout + stderr }),
    );
  });
}

// Together: npm waits between its tries.
test.concurrent("without a network the set-up fails with what failed and what to check, and leaves nothing half done", async ({
  onTestFinished,
}) => {
  const folder = freshClone(onTestFinished);
  const { status, text } = await launch(folder, ["start"]);
  expect(status).toBe(1);
  expect(text).toContain("tailstock: Installing the packages failed.");
  expect(text).toContain("Check that the npm registry can be reached");
  expect(text).not.toContain("at Module._compile");
  expect(existsSync(join(folder, ".runtime", "packages.sha256"))).toBe(false);
  expect(existsSync(join(folder, ".runtime", "setup.lock"))).toBe(false);
});

test.concurrent("a set-up that was killed does not block the next one", async ({ onTestFinished }) => {
  const folder = freshClone(onTestFinished);
  mkdirSync(join(folder, ".runtime"));
  // No process has this id: Linux counts to 4,194,304 at most.
  writeFileSync(join(folder, ".runtime", "setup.lock"), "99999999");
  expect((await launch(folder, ["start"])).text).toContain("Installing the packages failed");
});
