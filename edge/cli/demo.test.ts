import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive, runCli, startCli, temporaryFolder, until } from "./testing.ts";

// The demo as a newcomer starts it: real simulator, real protocols, real dashboard, all through the command line.
const READY_MS_MAX = 60_000;

interface Ready {
  readonly dashboardUrl: string;
  readonly control: string;
  readonly opcua: string;
  readonly modbus: string;
  readonly pid: number;
}

async function startDemo(cwd: string) {
  const demo = startCli(["demo", "--port", "0", "--json"], { cwd });
  const [line] = await demo.untilPrinted(/^\{.*"ready":true.*\}$/m, READY_MS_MAX);
  return { demo, ready: JSON.parse(line) as Ready };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** All machines with every signal Good, as `status` tells it. */
async function allGood(cwd: string): Promise<{ machineId: string; good: number }[] | undefined> {
  const { stdout } = await runCli(["status", "--json", "--data", "data/demo"], { cwd });
  if (stdout === "") return undefined;
  const { machines } = JSON.parse(stdout) as {
    machines: { machineId: string; good: number; bad: number; uncertain: number; signals: number }[];
  };
  const fine = machines.filter(({ good, signals }) => good === signals && signals > 0);
  return machines.length >= 13 && fine.length === machines.length ? machines : undefined;
}

test("demo: values, status, faults, and Ctrl-C ends all of it within five seconds", async () => {
  const cwd = temporaryFolder();
  const { demo, ready } = await startDemo(cwd);
  expect(await answers(new URL("/api/health", ready.dashboardUrl).href)).toBe(true);
  const machines = await until(
    () => allGood(cwd),
    30_000,
    () => demo.stderr(),
  );
  expect(machines.map(({ machineId }) => machineId)).toContain("redmond/mill-01");

  const status = await runCli(["status"], { cwd });
  expect(status.stdout).toMatch(/^runtime {2}running \(.*dashboard http:\/\/127\.0\.0\.1:\d+\/? answers\)$/m);
  expect(status.code).toBe(0);
  // P30: what the disk has to take is measured, and shown while the collector runs (the kernel counts it on Linux).
  if (process.platform === "linux") {
    const usage = await runCli(["log", "usage"], { cwd });
    expect(usage.stdout).toMatch(
      /^written +[\d.]+ \w+\/s to the disk, [\d.,]+ B a reading; .* since the collector began$/m,
    );
  }

  const second = await runCli(["demo", "--port", "0"], { cwd });
  expect(second.code).not.toBe(0);
  expect(second.stderr).toMatch(new RegExp(`process ${demo.child.pid} already fills .* at http`));

  const inject = await runCli(["demo", "inject", "lost", "mill-01", "--signal", "spindleSpeed", "--for", "30s"], {
    cwd,
  });
  expect({ code: inject.code, stderr: inject.stderr }).toEqual({ code: 0, stderr: "" });
  expect((await runCli(["demo", "faults"], { cwd })).stdout).toMatch(/^active +lost +.*mill-01/m);
  const tail = startCli(["tail", "mill-01", "--signal", "spindleSpeed"], { cwd });
  await tail.untilPrinted(/spindleSpeed .*Bad/, 10_000);
  tail.child.kill("SIGINT");
  expect((await tail.ended).code).toBe(0);
  const wrong = await runCli(["demo", "inject", "lost", "mill-77"], { cwd });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("mill-77");

  const control = ready.control;
  const startedMs = Date.now();
  demo.child.kill("SIGINT");
  const { code, stderr } = await demo.ended;
  expect(Date.now() - startedMs).toBeLessThan(5_000);
  expect(code).toBe(0);
  // Its log lines are on standard error: none may be an error.
  expect(stderr).not.toMatch(/"level":[56]0/);
  expect(await answers(new URL("/faults", control).href)).toBe(false);
  const after = await runCli(["status"], { cwd });
  expect(after.stdout).toContain("NOT running");
  expect((await runCli(["demo", "faults"], { cwd })).stderr).toContain(`no demo runs on ${join(cwd, "data", "demo")}`);
}, 120_000);

test("demo: no orphan when the parent is killed, and the next start needs no repair", async () => {
  const cwd = temporaryFolder();
  const { demo, ready } = await startDemo(cwd);
  expect(await answers(new URL("/faults", ready.control).href)).toBe(true);
  expect(isAlive(ready.pid)).toBe(true);
  demo.child.kill("SIGKILL");
  await demo.ended;
  await until(
    async () => !(await answers(new URL("/faults", ready.control).href)) || undefined,
    6_000,
    () => "simulator",
  );
  const status = await runCli(["status"], { cwd });
  expect(status.code).toBe(1);
  expect(status.stdout).toContain(`process ${ready.pid} is gone without having said goodbye`);
  const again = await startDemo(cwd);
  // The launcher gone, however it went, closes its channel.
  const exited = once(again.demo.child, "exit");
  again.demo.child.disconnect();
  expect(await exited).toEqual([0, null]);
}, 120_000);
