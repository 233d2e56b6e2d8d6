import { EdgeError, messageOf } from "../kernel/errors.ts";
import type { FaultRecord, FaultRequest } from "./fault.ts";
import type { LineMode, LineState } from "./line-switch.ts";

/** A simulator on the same machine answers at once; longer means that something else listens there. */
const ANSWER_MS_MAX = 5_000;

/** A machine as the simulator's control surface lists it. */
export interface ControlMachine {
  readonly machineId: string;
  readonly type: string;
  readonly state: string;
  readonly signals: readonly { name: string; title: string; unit: string; analog: boolean }[];
}

/**
 * Begins a fault in a factory of another process.
 * @param controlUrl what the simulator printed as `control`, "http://127.0.0.1:41234"
 * @throws EdgeError USAGE with the factory's reason, DRIVER_NOT_CONNECTED when no simulator answers there
 */
export async function injectFault(controlUrl: string, fault: FaultRequest): Promise<FaultRecord> {
  return (await request(controlUrl, "/faults", { method: "POST", body: JSON.stringify(fault) })) as FaultRecord;
}

/** The faults that are active and the newest that have ended. Errors as in `injectFault`. */
export async function listFaults(
  controlUrl: string,
): Promise<{ readonly active: readonly FaultRecord[]; readonly ended: readonly FaultRecord[] }> {
  return (await request(controlUrl, "/faults", { method: "GET" })) as Awaited<ReturnType<typeof listFaults>>;
}

/** The machines with their present state and the signals that can go wrong. Errors as in `injectFault`. */
export async function listMachines(controlUrl: string): Promise<readonly ControlMachine[]> {
  return (await request(controlUrl, "/machines", { method: "GET" })) as readonly ControlMachine[];
}

/** Lays a line to a port of loopback, of a hub for example; others then connect to the line's own port. */
export async function layLine(controlUrl: string, targetPort: number): Promise<LineState> {
  return (await request(controlUrl, "/line", { method: "POST", body: JSON.stringify({ targetPort }) })) as LineState;
}

/** Cuts, freezes or mends the line; with a duration it mends itself after it. */
export async function setLine(controlUrl: string, mode: LineMode, durationMs?: number): Promise<LineState> {
  const body = JSON.stringify({ mode, ...(durationMs === undefined ? {} : { durationMs }) });
  return (await request(controlUrl, "/line", { method: "PUT", body })) as LineState;
}

export async function lineState(controlUrl: string): Promise<LineState> {
  return (await request(controlUrl, "/line", { method: "GET" })) as LineState;
}

async function request(controlUrl: string, path: string, init: { method: string; body?: string }): Promise<unknown> {
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(new URL(path, controlUrl), {
      ...init,
      ...(init.body === undefined ? {} : { headers: { "content-type": "application/json" } }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    answer = await response.json();
  } catch (error) {
    throw new EdgeError("DRIVER_NOT_CONNECTED", `No simulator answers at ${controlUrl}: ${messageOf(error)}`, {
      cause: error,
      hint: "Is the demo running? It prints the control address when it starts.",
    });
  }
  if (response.ok) return answer;
  const { message, hint } = answer as { message?: string; hint?: string };
  throw new EdgeError("USAGE", message ?? `The simulator refused the request: HTTP ${response.status}.`, {
    ...(hint === undefined ? {} : { hint }),
  });
}
