import { isDeepStrictEqual } from "node:util";
import { type Address, parseAddress } from "./address.ts";
import type { Connection, ModbusMachine, OpcuaMachine } from "./model.ts";
import { isName, NAME_HINT } from "./names.ts";
import type { ConfigPath, Findings } from "./problem.ts";
import type { ConnectionFile, MachineFile } from "./schema.ts";
import type { SecretFiles } from "./secret-files.ts";
import { buildSettings, MODBUS_SETTINGS, OPCUA_SETTINGS, type Settings } from "./settings.ts";
import { didYouMean } from "./suggest.ts";

/** A connection that still collects its machines. */
export interface Line {
  readonly id: string;
  readonly address: Address;
  readonly settings: Settings;
  readonly path: ConfigPath;
  readonly isNamed: boolean;
  readonly machines: (OpcuaMachine | ModbusMachine)[];
}

/** The connections of a file: those with a name, and one for each address that machines write themselves. */
export class Lines {
  readonly #findings: Findings;
  readonly #secrets: SecretFiles;
  readonly #named = new Map<string, Line | undefined>();
  readonly #byAddress = new Map<string, Line>();

  constructor(named: Readonly<Record<string, Partial<ConnectionFile>>>, findings: Findings, secrets: SecretFiles) {
    this.#findings = findings;
    this.#secrets = secrets;
    for (const [name, keys] of Object.entries(named)) this.#named.set(name, this.#addNamed(name, keys));
  }

  /** The line of a machine, or undefined when it has none (then a problem says why). */
  lineOf(machine: MachineFile, path: ConfigPath): Line | undefined {
    const { connection, address } = machine;
    if (connection !== undefined && address !== undefined) {
      this.#findings.problem(
        path,
        "both connection and address are given; expected one of them",
        "keep connection for a shared line, or address for a line of its own",
        "key",
      );
      return undefined;
    }
    if (connection !== undefined) return this.#namedLine(connection, machine, path);
    if (address !== undefined) return this.#inlineLine(address, machine, path);
    this.#findings.problem(
      path,
      "neither connection nor address is given; a machine needs one of them",
      "add address: opc.tcp://… or modbus+tcp://…, or the name of a connection",
      "key",
    );
    return undefined;
  }

  /** Connections that have machines, in the file's order; those without are worth a warning, not a driver. */
  toConnections(): Connection[] {
    const all = [...this.#named.values(), ...this.#byAddress.values()].filter((line) => line !== undefined);
    for (const line of all) {
      if (line.machines.length > 0) continue;
      this.#findings.warning(
        line.path,
        `no machine uses connection '${line.id}', so it is not opened`,
        "name it in a machine: connection: …, or remove it",
        "key",
      );
    }
    return all
      .filter((line) => line.machines.length > 0)
      .map(({ id, settings, machines }) => ({ id, ...settings, machines }) as Connection);
  }

  #addNamed(name: string, keys: Partial<ConnectionFile>): Line | undefined {
    const path = ["connections", name];
    if (!isName(name)) this.#findings.problem(path, `'${name}' is not a connection's name`, NAME_HINT, "key");
    if (keys.address === undefined) return undefined;
    const address = this.#address(keys.address, [...path, "address"]);
    if (address === undefined) return undefined;
    for (const other of this.#named.values()) {
      if (other?.address.key === address.key) this.#sameAddress(address, other, path);
    }
    const settings = buildSettings(address, keys, path, this.#findings, this.#secrets);
    return { id: name, address, settings, path, isNamed: true, machines: [] };
  }

  #sameAddress(address: Address, other: Line, path: ConfigPath): void {
    const message = `connection '${path.at(-1)}' has the address of connection '${other.id}' (${address.key})`;
    if (address.protocol === "modbus" && address.transport.kind === "rtu") {
      this.#findings.problem(
        [...path, "address"],
        message,
        "a serial line can be opened once: put its machines on one connection",
      );
    } else {
      this.#findings.warning(
        [...path, "address"],
        message,
        "one connection for each address is what most devices expect",
      );
    }
  }

  #namedLine(name: string, machine: MachineFile, path: ConfigPath): Line | undefined {
    if (!this.#named.has(name)) {
      const names = [...this.#named.keys()];
      this.#findings.problem(
        [...path, "connection"],
        `connection '${name}' does not exist${didYouMean(name, names)}`,
        names.length === 0
          ? "add it under connections:, or give the machine an address"
          : `known connections: ${names.slice(0, 20).join(", ")}`,
      );
      return undefined;
    }
    for (const key of [...OPCUA_SETTINGS, ...MODBUS_SETTINGS]) {
      if (machine[key] === undefined) continue;
      this.#findings.problem(
        [...path, key],
        `'${key}' belongs to connection '${name}', which this machine shares`,
        `move it to connections.${name}`,
        "key",
      );
    }
    return this.#named.get(name);
  }

  #inlineLine(text: string, machine: MachineFile, path: ConfigPath): Line | undefined {
    const address = this.#address(text, [...path, "address"]);
    if (address === undefined) return undefined;
    const settings = buildSettings(address, machine, path, this.#findings, this.#secrets);
    const named = [...this.#named.values()].find((line) => line?.address.key === address.key);
    const known = named ?? this.#byAddress.get(address.key);
    if (known === undefined) {
      const line: Line = { id: address.key, address, settings, path, isNamed: false, machines: [] };
      this.#byAddress.set(address.key, line);
      return { ...line, address };
    }
    if (!isDeepStrictEqual(withoutSpelling(known.settings), withoutSpelling(settings))) {
      const differing = Object.keys(settings).filter(
        (key) =>
          key !== "endpointUrl" &&
          !isDeepStrictEqual(known.settings[key as keyof Settings], settings[key as keyof Settings]),
      );
      this.#findings.problem(
        [...path, "address"],
        `${address.key} is also the address of ${known.path.join(".")}, but with other settings (${differing.join(", ")})`,
        named === undefined
          ? "put the address and its settings under connections: and name that connection in both machines"
          : `write connection: ${named.id} in place of the address`,
      );
    }
    // The unit id is the machine's own, so each keeps its own view of the shared line.
    return { ...known, address };
  }

  #address(text: string, path: ConfigPath): Address | undefined {
    const parsed = parseAddress(text);
    if (!("message" in parsed)) return parsed;
    this.#findings.problem(path, `the address can't be used: ${parsed.message}`, parsed.hint);
    return undefined;
  }
}

/** "opc.tcp://HOST" and "opc.tcp://host/" are one endpoint, spelled twice. */
function withoutSpelling(settings: Settings): Settings {
  return settings.protocol === "opcua" ? { ...settings, endpointUrl: "" } : settings;
}
