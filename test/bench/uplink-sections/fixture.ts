import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HubProgram } from "../../support/hub-program.ts";
import { endPrograms, startProgram } from "../../support/runtime-process.ts";

export type { Row } from "../run-sections.ts";

export interface SectionOptions {
  readonly repeat: number;
  /** Readings of the backlog that the drain section makes. */
  readonly readings: number;
  /** Measured time of the cost section, of each latency. */
  readonly seconds: number;
}

export const DEVICE = "box-bench";

/** A hub process and a folder; both are gone afterwards. */
export async function withHub<T>(
  devices: readonly string[],
  work: (hub: HubProgram, folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-bench-"));
  // Root's embedded database runs as somebody else, who must get in.
  chmodSync(folder, 0o755);
  try {
    await using hub = await new HubProgram(join(folder, "hub"), devices).start();
    return await work(hub, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The uplink's module on the log of a folder, as its container runs it; `work` gets its process id. */
export async function withUplink<T>(
  hub: HubProgram,
  folder: string,
  settings: Readonly<Record<string, number>>,
  work: (pid: number) => Promise<T>,
): Promise<T> {
  const children: ChildProcess[] = [];
  writeFileSync(join(folder, "hub-connection"), hub.deviceConnection(DEVICE));
  const more = Object.entries(settings).map(([key, value]) => `, ${key}: ${value}`);
  writeFileSync(
    join(folder, "tailstock.yaml"),
    `site: redmond
log: { path: bench.db }
uplink: { connectionStringFile: hub-connection, ca: ${JSON.stringify(hub.addresses.ca)}${more.join("")} }
machines:
  mill-01: { address: "opc.tcp://127.0.0.1:1", signals: { speed: { node: "ns=2;s=Speed" } } }
`,
  );
  try {
    const child = startProgram(["modules/uplink/main.ts"], {
      TAILSTOCK_CONFIG: join(folder, "tailstock.yaml"),
      TAILSTOCK_LOG_LEVEL: "warn",
    });
    children.push(child);
    child.stdout?.resume();
    return await work(child.pid ?? 0);
  } finally {
    await endPrograms(children);
  }
}
