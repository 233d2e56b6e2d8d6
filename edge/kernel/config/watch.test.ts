import { mkdir, mkdtemp, readlink, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { watchConfig } from "./watch.ts";

const text = (address: number, comment = ""): string =>
  `site: redmond\nmachines:\n  press-01:\n    address: modbus+tcp://127.0.0.1:1502\n    signals: { temperature: { holding: ${address} } } # ${comment}\n`;
const BAD = text(7).replace("holding", "holdng");

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "tailstock-watch-"));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Follows a real file; `seen` lists what was told, in order. */
async function following(path: string, debounceMs = 60) {
  const initial = await loadConfig(path);
  const seen: string[] = [];
  let inForce: LoadedConfig = initial;
  const stop = new AbortController();
  const watching = watchConfig(
    path,
    {
      clock: systemClock,
      initial,
      pollIntervalMs: 40,
      debounceMs,
      onConfig(loaded, changes) {
        inForce = loaded;
        seen.push(`applied ${addressOf(loaded)}: ${changes.map(({ kind }) => kind).join(",")}`);
      },
      onRefused(problems) {
        seen.push(`refused ${problems.map(({ line, message }) => `${line} ${message}`).join("; ")}`);
      },
      onRestored() {
        seen.push("restored");
      },
    },
    stop.signal,
  );
  cleanups.push(async () => {
    stop.abort();
    await watching;
  });
  return {
    seen,
    inForce: () => addressOf(inForce),
    until: async (count: number) => expect.poll(() => seen.length, { timeout: 15_000, interval: 10 }).toBe(count),
    /** Long enough for several polls: what is not told by then is not told. */
    quiet: () => new Promise((resolve) => setTimeout(resolve, 400)),
    end: async () => {
      stop.abort();
      await watching;
    },
  };
}

function addressOf({ config }: LoadedConfig): number {
  const signal = config.connections[0]?.machines[0]?.signals[0];
  return signal !== undefined && "address" in signal ? signal.address : -1;
}

test("P29 a bad configuration never replaces a good one, is told once with its place, and the next good one is applied", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, inForce, until, quiet } = await following(path);
  await writeFile(path, BAD);
  await until(1);
  expect(seen[0]).toMatch(/^refused 5 unknown key 'holdng'; did you mean 'holding'/);
  await utimes(path, new Date(), new Date());
  await writeFile(path, BAD);
  await quiet();
  expect(seen, "told once for the same content").toHaveLength(1);
  await writeFile(path, "site: [");
  await until(2);
  await writeFile(path, "");
  await until(3);
  expect(inForce(), "the good one stayed").toBe(10);
  await writeFile(path, text(12));
  await until(4);
  expect(seen[3]).toBe("applied 12: machines");
  expect(inForce()).toBe(12);
});

test("P29 a configuration that is mended back to what is in force is told as restored, not as a change", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, until } = await following(path);
  await writeFile(path, BAD);
  await until(1);
  await writeFile(path, text(10));
  await until(2);
  expect(seen[1]).toBe("restored");
  await writeFile(path, BAD);
  await until(3);
  expect(seen[2], "the same mistake again, after a good content, is news").toMatch(/^refused/);
});

test("P05 an edit that changes nothing is not told: comments, touch, rewriting the same text", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, until, quiet } = await following(path);
  await writeFile(path, text(10, "for the night shift"));
  await utimes(path, new Date(), new Date());
  await writeFile(path, text(10).replace("site: redmond", 'site:   "redmond"'));
  await quiet();
  expect(seen).toEqual([]);
  await writeFile(path, text(11));
  await until(1);
  expect(seen).toEqual(["applied 11: machines"]);
});

test("notices a replacement by rename, as editors do it", async () => {
  const at = await folder();
  const path = join(at, "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, until } = await following(path);
  for (const address of [21, 22, 23]) {
    await writeFile(`${path}.tmp`, text(address));
    await rename(`${path}.tmp`, path);
    await until(address - 20);
    expect(seen.at(-1)).toBe(`applied ${address}: machines`);
  }
});

test("notices a swapped symbolic link, as Kubernetes mounts a ConfigMap", async () => {
  const at = await folder();
  const publish = async (version: string, content: string): Promise<void> => {
    await mkdir(join(at, version));
    await writeFile(join(at, version, "tailstock.yaml"), content);
    await symlink(version, join(at, "..data_tmp"));
    await rename(join(at, "..data_tmp"), join(at, "..data"));
  };
  await publish("..v1", text(31));
  await symlink(join("..data", "tailstock.yaml"), join(at, "tailstock.yaml"));
  const { seen, until } = await following(join(at, "tailstock.yaml"));
  await publish("..v2", text(32));
  await until(1);
  await publish("..v3", BAD);
  await until(2);
  await publish("..v4", text(34));
  await until(3);
  expect(await readlink(join(at, "..data"))).toBe("..v4");
  expect([seen[0], seen[2]]).toEqual(["applied 32: machines", "applied 34: machines"]);
  expect(seen[1]).toMatch(/^refused 5/);
});

test("waits for a slow writer: a half-written file is not judged", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, until } = await following(path, 700);
  const whole = text(41);
  // Each piece comes long before the debounce has passed; the cuts leave invalid YAML or unknown keys.
  for (const length of [5, 20, 40, 60, 80, 100, whole.length]) {
    await writeFile(path, whole.slice(0, length));
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await until(1);
  expect(seen).toEqual(["applied 41: machines"]);
});

test("a file that is removed for a moment is nothing, one that stays away is told once", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, inForce, until } = await following(path);
  await rm(path);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await writeFile(path, text(51));
  await until(1);
  expect(seen).toEqual(["applied 51: machines"]);
  await rm(path);
  await until(2);
  expect(seen[1]).toMatch(/refused 1 .*does not exist/);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seen).toHaveLength(2);
  expect(inForce()).toBe(51);
});

test("a password file is part of the configuration", async () => {
  const at = await folder();
  const path = join(at, "tailstock.yaml");
  await writeFile(join(at, "password"), "first\n");
  await writeFile(
    path,
    'site: redmond\nmachines:\n  mill: { address: "opc.tcp://h", identity: { username: u, passwordFile: password }, signals: { x: "i=1" } }\n',
  );
  const { seen, until } = await following(path);
  await writeFile(join(at, "password"), "second\n");
  await until(1);
  expect(seen[0]).toBe("applied -1: connection-settings");
  await rm(join(at, "password"));
  await until(2);
  expect(seen[1]).toMatch(/^refused 3 file 'password' can't be used: it does not exist/);
  await writeFile(join(at, "password"), "second\n");
  await until(3);
  expect(seen[2]).toBe("restored");
});

test("ends at once when it is asked to", async () => {
  const path = join(await folder(), "tailstock.yaml");
  await writeFile(path, text(10));
  const { seen, end } = await following(path);
  await end();
  await writeFile(path, text(61));
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(seen).toEqual([]);
});
