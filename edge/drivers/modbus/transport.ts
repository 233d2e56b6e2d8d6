import { createRequire } from "node:module";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ModbusTransport } from "../../kernel/config/model.ts";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";

const CONNECT_MS_MAX = 3_000;
const KEEP_ALIVE_MS = 10_000;

/** An open byte stream to the device or gateway. `close` frees the port or socket on both sides without waiting. */
export interface OpenStream {
  readonly stream: Duplex;
  close(): void;
}

type SerialTransport = Extract<ModbusTransport, { kind: "rtu" }>;
type SocketTransport = Exclude<ModbusTransport, SerialTransport>;

/** "modbus tcp 10.0.0.7:502", for people. */
export function addressOf(transport: ModbusTransport): string {
  return transport.kind === "rtu"
    ? `modbus rtu ${transport.device}`
    : `modbus ${transport.kind} ${transport.host}:${transport.port}`;
}

/** Opens the line. @throws EdgeError DRIVER_NOT_CONNECTED (nobody there, abort), DRIVER_REFUSED (no right to the port) */
export function openTransport(transport: ModbusTransport, signal: AbortSignal): Promise<OpenStream> {
  return transport.kind === "rtu" ? openSerial(transport, signal) : openSocket(transport, signal);
}

function openSocket(transport: SocketTransport, signal: AbortSignal): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const bound = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS_MAX)]);
    const fail = (cause: unknown) => {
      bound.removeEventListener("abort", giveUp);
      socket.on("error", () => undefined);
      socket.destroy();
      reject(notConnected(transport, cause));
    };
    const giveUp = () =>
      fail(new Error(signal.aborted ? "the attempt was ended" : "no answer to the connection attempt"));
    if (bound.aborted) return giveUp();
    bound.addEventListener("abort", giveUp, { once: true });
    socket.once("error", fail);
    socket.connect({ host: transport.host, port: transport.port }, () => {
      bound.removeEventListener("abort", giveUp);
      socket.off("error", fail);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve({ stream: socket, close: () => socket.destroy() });
    });
  });
}

const HINT_BY_ERRNO: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    "The host answers but nobody listens: check the port (usually 502) and that Modbus is enabled on the device.",
  ENOTFOUND: "Check the host name, or use the IP address.",
  EAI_AGAIN: "The name server does not answer: use the IP address.",
  EHOSTUNREACH: "Check cable, network mask and gateway of this box and of the device.",
  ENETUNREACH: "Check cable, network mask and gateway of this box and of the device.",
  ECONNRESET: "The device closed the connection at once: it may accept few clients at a time.",
};

function notConnected(transport: SocketTransport, cause: unknown): EdgeError {
  const errno = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return new EdgeError("DRIVER_NOT_CONNECTED", `${addressOf(transport)} can't be reached: ${messageOf(cause)}`, {
    cause,
    statusCode: StatusCode.BadNotConnected,
    hint: HINT_BY_ERRNO[errno] ?? "Check that the device is powered, its address, and cable and firewall in between.",
  });
}

/** What is used of the serialport package, which modbus-serial brings along when its native part can be installed. */
interface SerialPortLike extends Duplex {
  readonly isOpen: boolean;
  open(done: (error: Error | null) => void): void;
  close(done: (error: Error | null) => void): void;
}
type SerialPortClass = new (options: {
  path: string;
  baudRate: number;
  dataBits: number;
  parity: string;
  stopBits: number;
  autoOpen: boolean;
}) => SerialPortLike;

function loadSerialPort(): SerialPortClass {
  const require = createRequire(createRequire(import.meta.url).resolve("modbus-serial"));
  try {
    return (require("serialport") as { SerialPort: SerialPortClass }).SerialPort;
  } catch (cause) {
    throw new EdgeError("DRIVER_CONFIG", "serial ports can't be used: the serialport package does not load here", {
      cause,
      statusCode: StatusCode.BadConfigurationError,
      hint: "Install again without --omit=optional, or reach the line through a gateway with modbus+rtu-over-tcp.",
    });
  }
}

function openSerial(transport: SerialTransport, signal: AbortSignal): Promise<OpenStream> {
  const { device: path, baudRate, dataBits, parity, stopBits } = transport;
  const SerialPort = loadSerialPort();
  return new Promise((resolve, reject) => {
    const port = new SerialPort({ path, baudRate, dataBits, parity, stopBits, autoOpen: false });
    port.on("error", () => undefined); // the callbacks tell; a late one must not end the process
    const close = () => {
      if (port.isOpen) port.close(() => undefined);
    };
    port.open((cause) => {
      if (cause !== null) return reject(serialUnavailable(transport, cause));
      if (!signal.aborted) return resolve({ stream: port, close });
      close();
      reject(serialUnavailable(transport, new Error("the attempt was ended")));
    });
  });
}

function serialUnavailable(transport: SerialTransport, cause: Error): EdgeError {
  const denied = /permission|access/i.test(cause.message);
  return new EdgeError(
    denied ? "DRIVER_REFUSED" : "DRIVER_NOT_CONNECTED",
    `serial port ${transport.device} can't be opened: ${cause.message}`,
    {
      cause,
      statusCode: denied ? StatusCode.BadUserAccessDenied : StatusCode.BadNotConnected,
      hint: denied
        ? "Give this user the right to the port (on Linux: group dialout), and close other programs that hold it."
        : "Check that the adapter is plugged in and the device's name (on Linux: ls /dev/serial/by-id).",
    },
  );
}
