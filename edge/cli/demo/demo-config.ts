import { closeSync, existsSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { EdgeError } from "../../kernel/errors.ts";
import type { SimulatorAddresses } from "./simulator-process.ts";

const MARK = "# Written by `tailstock demo` at each of its starts.";
export const DEMO_LOG_NAME = "tailstock.db";
const CONFIG_NAME = "tailstock.yaml";

/**
 * Refuses a folder whose configuration somebody else wrote: the demo would overwrite it.
 * @throws EdgeError USAGE
 */
export function prepareDemoFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, CONFIG_NAME);
  if (existsSync(path) && !beginsWithMark(path)) {
    throw new EdgeError("USAGE", `${path} was not written by the demo, and the demo would overwrite it`, {
      hint: "Name another folder with --data, or start your own configuration: tailstock up -c FILE.",
    });
  }
}

function beginsWithMark(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const beginning = Buffer.alloc(Buffer.byteLength(MARK));
    readSync(file, beginning, 0, beginning.length, 0);
    return beginning.toString("utf8") === MARK;
  } finally {
    closeSync(file);
  }
}

/** Writes the configuration of the running simulator, with a line to a hub when there is one; returns its path. */
export async function writeDemoConfig(
  folder: string,
  { opcua, modbus }: SimulatorAddresses,
  {
    site,
    dashboardPort,
    uplink,
  }: {
    readonly site?: string;
    readonly dashboardPort: number;
    readonly uplink: { readonly connectionStringFile: string; readonly ca: string } | undefined;
  },
): Promise<string> {
  const { renderConfig } = await import("../../simulator/render-config.ts");
  const text = renderConfig({
    opcuaEndpointUrl: opcua,
    modbusPort: Number(new URL(modbus).port),
    logPath: DEMO_LOG_NAME,
    pkiPath: "pki",
    dashboardPort,
    ...(site === undefined ? {} : { site }),
    ...(uplink === undefined ? {} : { uplink }),
  });
  const path = join(folder, CONFIG_NAME);
  writeFileSync(path, `${MARK}\n${text}`);
  return path;
}

/** The wanted port of loopback when it is free, else one that the system gives. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0)) ?? wanted;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}
