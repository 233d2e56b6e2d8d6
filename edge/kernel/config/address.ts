import { DEFAULTS } from "./defaults.ts";
import type { ModbusTransport } from "./model.ts";
import { didYouMean } from "./suggest.ts";

/** An address of the file, taken apart. `key` is equal for addresses that mean the same end of a line. */
export type Address =
  | { readonly protocol: "opcua"; readonly key: string; readonly endpointUrl: string }
  | {
      readonly protocol: "modbus";
      readonly key: string;
      readonly transport: ModbusTransport;
      /** From "?unitId="; null when the address does not say. */
      readonly unitId: number | null;
    };

export interface AddressFault {
  readonly message: string;
  readonly hint: string;
}

const SCHEMES = ["opc.tcp", "modbus+tcp", "modbus+rtu-tcp", "modbus+rtu"] as const;
const HINT =
  "addresses look like opc.tcp://192.168.0.10:4840/path, modbus+tcp://192.168.0.20:502, modbus+rtu-tcp://gateway:4001 or modbus+rtu:///dev/ttyUSB0?baudRate=19200&parity=even";
const SCHEME_BY_FOREIGN: Readonly<Record<string, string>> = {
  tcp: "modbus+tcp",
  modbus: "modbus+tcp",
  "modbus-tcp": "modbus+tcp",
  "modbus.tcp": "modbus+tcp",
  rtu: "modbus+rtu",
  opcua: "opc.tcp",
  "opc.tcps": "opc.tcp",
  opc: "opc.tcp",
};

const SERIAL_KEYS = ["baudRate", "dataBits", "parity", "stopBits"] as const;

/** Takes an address apart and checks all of it; port, unit id and line settings have their ranges and defaults here. */
export function parseAddress(text: string): Address | AddressFault {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme === null && text.includes("@")) return withUser();
  if (scheme === null) return fault(`'${text}' has no scheme such as opc.tcp://`);
  const name = (scheme[1] ?? "").toLowerCase();
  const rest = text.slice(scheme[0].length);
  if (name === "opc.tcp") return parseOpcua(text, rest);
  if (name === "modbus+tcp") return parseModbusTcp(rest, "tcp", name);
  if (name === "modbus+rtu-tcp") return parseModbusTcp(rest, "rtu-over-tcp", name);
  if (name === "modbus+rtu") return parseSerial(rest);
  const meant = SCHEME_BY_FOREIGN[name];
  return fault(
    `'${scheme[1]}://' is not a known scheme${meant === undefined ? didYouMean(name, SCHEMES) : `; did you mean '${meant}'?`}`,
  );
}

function fault(message: string, hint = HINT): AddressFault {
  return { message, hint };
}

/** Without the text, for it may hold a password. */
function withUser(): AddressFault {
  return fault("a user name or password has no place in an address", "use identity: {username, passwordFile}");
}

function parseOpcua(text: string, rest: string): Address | AddressFault {
  const [authority = ""] = rest.split("/", 1);
  const place = hostAndPort(authority, DEFAULTS.opcuaConnection.port);
  if ("message" in place) return place;
  if (/[?#\s]/.test(rest)) return fault("an OPC UA address has no '?', '#' or spaces");
  const path = rest.slice(authority.length).replace(/\/$/, "");
  const hasPort = /:\d+$/.test(authority);
  return {
    protocol: "opcua",
    key: `opc.tcp://${place.host}:${place.port}${path}`,
    endpointUrl: hasPort ? text : `opc.tcp://${authority}:${place.port}${rest.slice(authority.length)}`,
  };
}

function parseModbusTcp(rest: string, kind: "tcp" | "rtu-over-tcp", scheme: string): Address | AddressFault {
  const { authority, path, query } = split(rest);
  if (path !== "" && path !== "/") return fault(`a ${scheme} address has no path, but this one has '${path}'`);
  const place = hostAndPort(authority, kind === "tcp" ? DEFAULTS.modbusConnection.port : null);
  if ("message" in place) return place;
  const parameters = parametersOf(query, ["unitId"]);
  if ("message" in parameters) return parameters;
  const unitId = unitIdOf(parameters.values);
  if (typeof unitId === "object" && unitId !== null) return unitId;
  return {
    protocol: "modbus",
    key: `${scheme}://${place.host}:${place.port}`,
    transport: { kind, host: place.host.replace(/^\[(.*)\]$/, "$1"), port: place.port },
    unitId,
  };
}

function parseSerial(rest: string): Address | AddressFault {
  const mark = rest.indexOf("?");
  const device = mark < 0 ? rest : rest.slice(0, mark);
  if (!/^(?:\/[^\s]+|COM\d+)$/i.test(device)) {
    return fault(`'${device}' is not a serial device; after modbus+rtu:// its path must follow, such as /dev/ttyUSB0`);
  }
  const parameters = parametersOf(mark < 0 ? "" : rest.slice(mark + 1), [...SERIAL_KEYS, "unitId"]);
  if ("message" in parameters) return parameters;
  const { values } = parameters;
  const baudRate = Number(values.get("baudRate") ?? DEFAULTS.modbusSerial.baudRate);
  if (!Number.isInteger(baudRate) || baudRate < 300 || baudRate > 4_000_000) {
    return fault(`baudRate is ${values.get("baudRate")}; expected 300 to 4000000`);
  }
  const dataBits = Number(values.get("dataBits") ?? DEFAULTS.modbusSerial.dataBits);
  if (dataBits !== 7 && dataBits !== 8) return fault(`dataBits is ${values.get("dataBits")}; expected 7 or 8`);
  const stopBits = Number(values.get("stopBits") ?? DEFAULTS.modbusSerial.stopBits);
  if (stopBits !== 1 && stopBits !== 2) return fault(`stopBits is ${values.get("stopBits")}; expected 1 or 2`);
  const parity = values.get("parity") ?? DEFAULTS.modbusSerial.parity;
  if (parity !== "none" && parity !== "even" && parity !== "odd") {
    return fault(`parity is '${parity}'; expected none, even or odd`);
  }
  const unitId = unitIdOf(values);
  if (typeof unitId === "object" && unitId !== null) return unitId;
  return {
    protocol: "modbus",
    key: `modbus+rtu://${device}`,
    transport: { kind: "rtu", device, baudRate, dataBits, parity, stopBits },
    unitId,
  };
}

function split(rest: string): { authority: string; path: string; query: string } {
  const match = /^([^/?]*)([^?]*)(?:\?(.*))?$/s.exec(rest);
  return { authority: match?.[1] ?? "", path: match?.[2] ?? "", query: match?.[3] ?? "" };
}

function hostAndPort(authority: string, defaultPort: number | null): { host: string; port: number } | AddressFault {
  const match = /^(\[[0-9A-Fa-f:.%]+\]|[^:\s@[\]]+)(?::(.*))?$/s.exec(authority);
  if (authority.includes("@")) {
    return withUser();
  }
  if (match === null) return fault(`'${authority}' is not a host name or an IP address with a port`);
  const host = (match[1] ?? "").toLowerCase();
  if (match[2] === undefined) {
    return defaultPort === null ? fault(`the address has no port after '${host}'`) : { host, port: defaultPort };
  }
  const port = Number(match[2]);
  if (!/^\d+$/.test(match[2]) || port < 1 || port > 65_535) {
    return fault(
      `port '${match[2]}' is not a number from 1 to 65535`,
      "check the port in the machine's manual; OPC UA often has 4840, Modbus 502",
    );
  }
  return { host, port };
}

function parametersOf(query: string, known: readonly string[]): { values: ReadonlyMap<string, string> } | AddressFault {
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (!known.includes(key))
      return fault(
        `'${key}' is not a parameter of this address${didYouMean(key, known)}`,
        `known parameters: ${known.join(", ")}`,
      );
    if (values.has(key)) return fault(`parameter '${key}' stands twice in the address`);
    values.set(key, value);
  }
  return { values };
}

function unitIdOf(values: ReadonlyMap<string, string>): number | null | AddressFault {
  const text = values.get("unitId");
  if (text === undefined) return null;
  const unitId = Number(text);
  if (!/^\d+$/.test(text) || unitId > 255)
    return fault(
      `unitId '${text}' is not a number from 0 to 255`,
      "unit ids are 1 to 247 on serial lines; 0 is broadcast, 255 often the TCP device itself",
    );
  return unitId;
}
