import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { OpcuaProbe, ProbeOptions, ProbeResult } from "../drivers/opcua/opcua-probe.ts";
import type { OpcuaIdentity, OpcuaSecurity } from "../kernel/config/model.ts";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import type { Cli } from "./cli.ts";

export interface OpcuaOptions {
  readonly security?: string;
  readonly trust: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly pki: string;
}

const MODES = ["none", "sign", "sign-and-encrypt"] as const satisfies readonly OpcuaSecurity["mode"][];
const TRUSTS = ["explicit", "first-use", "any"] as const satisfies readonly OpcuaSecurity["trust"][];

/** Adds the options with which a command talks straight to an OPC UA server. */
export function withOpcuaOptions(command: Command): Command {
  return command
    .option("--security <mode>", `OPC UA: ${MODES.join(", ")} (default: the best that the server offers)`)
    .option("--trust <how>", `OPC UA servers' certificates: ${TRUSTS.join(", ")}`, "explicit")
    .option("--user <name>", "OPC UA: log in as this user")
    .option("--password-file <file>", "file with that user's password")
    .option("--pki <folder>", "OPC UA certificate store", "data/pki");
}

/** The probe on this command's certificate store. The library is loaded here, when it is needed. */
export async function openProbe(cli: Cli, options: OpcuaOptions): Promise<OpcuaProbe> {
  const { OpcuaProbe } = await import("../drivers/opcua/opcua-probe.ts");
  const { createLogger } = await import("../kernel/logging.ts");
  const logger = createLogger({ level: "silent", pretty: false, destination: process.stderr });
  return new OpcuaProbe(
    { applicationName: "Tailstock", pkiPath: resolve(cli.cwd, options.pki) },
    { clock: cli.clock, logger },
  );
}

/** @throws EdgeError USAGE */
export function probeOptions(cli: Cli, options: OpcuaOptions): ProbeOptions {
  const mode = options.security === undefined ? undefined : oneOf(MODES, options.security, "a security mode");
  return {
    ...(mode === undefined ? {} : { mode }),
    trust: oneOf(TRUSTS, options.trust, "a way to trust"),
    identity: identityOf(cli, options),
  };
}

/** Plain text on the wire is said plainly, unless it was asked for. */
export function noteWarning(cli: Cli, result: ProbeResult<unknown>, options: OpcuaOptions): void {
  if (result.warning !== null && options.security !== "none") cli.output.note(`note: ${result.warning}`);
}

function identityOf(cli: Cli, { user, passwordFile }: OpcuaOptions): OpcuaIdentity {
  if (user === undefined && passwordFile === undefined) return { kind: "anonymous" };
  if (user === undefined || passwordFile === undefined) {
    throw new EdgeError("USAGE", "--user and --password-file belong together", {
      hint: "A password on the command line would be seen by everyone on this machine, so it comes from a file.",
    });
  }
  try {
    return { kind: "user", username: user, password: readFileSync(resolve(cli.cwd, passwordFile), "utf8").trimEnd() };
  } catch (error) {
    throw new EdgeError("USAGE", `the password file can't be read: ${messageOf(error)}`, {
      cause: error,
      hint: "Check its name and permissions.",
    });
  }
}

function oneOf<T extends string>(known: readonly T[], text: string, what: string): T {
  const found = known.find((each) => each === text);
  if (found !== undefined) return found;
  throw new EdgeError("USAGE", `"${text}" is not ${what}`, { hint: `Known: ${known.join(", ")}` });
}
