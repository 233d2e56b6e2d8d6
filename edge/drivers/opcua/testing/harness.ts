import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import pino from "pino";
import { systemClock } from "../../../kernel/clock.ts";
import type { OpcuaConnection, OpcuaMachine, OpcuaSignal } from "../../../kernel/config/model.ts";
import { OpcuaDriver, type OpcuaDriverDeps } from "../opcua-driver.ts";
import { MILLS } from "./opcua-server.ts";

export const MACHINE = "redmond/mill-07";

export function opcuaSignal(name: string, part: Partial<OpcuaSignal> = {}): OpcuaSignal {
  return {
    name,
    unit: "",
    title: name,
    key: false,
    node: part.path === undefined ? `nsu=${MILLS};s=Mill.${name}` : null,
    path: null,
    type: null,
    index: null,
    mode: "subscribe",
    samplingIntervalMs: 50,
    queueSize: 10,
    discardOldest: true,
    deadband: null,
    scale: 1,
    offset: 0,
    ...part,
  };
}

export function opcuaMachine(signals: readonly OpcuaSignal[], machineId = MACHINE): OpcuaMachine {
  return { machineId, typeName: "mill", signals };
}

/** A new certificate store, empty; its key is made at the first connect. */
export function newPki(): string {
  return mkdtempSync(path.join(tmpdir(), "tailstock-pki-"));
}

let sharedPki: string | undefined;

export function opcuaConnection(
  endpointUrl: string,
  machines: readonly OpcuaMachine[],
  part: Partial<OpcuaConnection> = {},
): OpcuaConnection {
  return {
    protocol: "opcua",
    id: "test",
    endpointUrl,
    security: { mode: "none", policy: "auto", trust: "explicit" },
    identity: { kind: "anonymous" },
    publishingIntervalMs: 50,
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 2_000,
    staleAfterMs: 1_000,
    machines,
    ...part,
  };
}

export function opcuaDriver(
  connection: OpcuaConnection,
  deps: Partial<OpcuaDriverDeps> & { pkiPath?: string } = {},
): OpcuaDriver {
  sharedPki ??= newPki();
  const { pkiPath = sharedPki, ...rest } = deps;
  const logger = pino({ level: process.env.TEST_LOG ?? "silent" });
  return new OpcuaDriver(
    connection,
    { applicationName: "TailstockTest", pkiPath },
    { clock: systemClock, logger, retryMs: 500, subscriptionProbeMs: 1_000, ...rest },
  );
}
