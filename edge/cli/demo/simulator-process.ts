import { join } from "node:path";
import { type StartedProcess, startProcess } from "./started-process.ts";

const MAIN = join(import.meta.dirname, "..", "..", "simulator", "main.ts");

export interface SimulatorAddresses {
  /** opc.tcp://… */
  readonly opcua: string;
  /** modbus+tcp://… */
  readonly modbus: string;
  /** http://… of the control surface. */
  readonly control: string;
}

/** The simulated factory as a child process. */
export type SimulatorProcess = StartedProcess<SimulatorAddresses>;

/**
 * Starts the simulator and waits until its servers listen.
 * @throws EdgeError DRIVER_NOT_CONNECTED with the child's own words when it does not come up
 */
export function startSimulator(options: {
  readonly seed: number;
  readonly site?: string;
  readonly folder: string;
  readonly nodeArguments: readonly string[];
  readonly signal: AbortSignal;
}): Promise<SimulatorProcess> {
  return startProcess({
    what: "the simulator",
    code: "DRIVER_NOT_CONNECTED",
    main: MAIN,
    args: [
      ...["--seed", String(options.seed)],
      ...(options.site === undefined ? [] : ["--site", options.site]),
      ...["--truth", join(options.folder, "truth.jsonl")],
      ...["--pki", join(options.folder, "simulator-pki")],
    ],
    nodeArguments: options.nodeArguments,
    signal: options.signal,
  });
}
