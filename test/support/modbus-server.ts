import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";

// The CRC of modbus-serial, not the driver's own: a mistake in the latter must show.
const crc16: (bytes: Buffer) => number = createRequire(import.meta.url)("modbus-serial/utils/crc16");

/** A request as it came, and what is needed to answer it rightly, wrongly or not at all. */
export interface RawRequest {
  readonly unitId: number;
  readonly functionCode: number;
  readonly address: number;
  readonly count: number;
  readonly transactionId: number;
  /** Counts requests over all connections from 1. */
  readonly number: number;
  /** Counts connections from 1. */
  readonly connection: number;
  readonly socket: Socket;
  /** The right answer with these registers (or bits, for functions 1 and 2). */
  data(words: readonly number[]): Buffer;
  exception(code: number): Buffer;
  /** A frame around any bytes after the unit id, also under a wrong unit or transaction id. */
  frame(pdu: Buffer, as?: { unitId?: number; transactionId?: number }): Buffer;
  send(bytes: Buffer): void;
}

export interface RawModbusServer extends AsyncDisposable {
  readonly port: number;
  readonly requests: RawRequest[];
  connections(): number;
  openSockets(): number;
}

/** A Modbus server whose every byte the test decides; MBAP (Modbus TCP) or RTU frames on a loopback socket. */
export async function startModbusServer(
  framing: "tcp" | "rtu-over-tcp",
  answer: (request: RawRequest) => void,
  port = 0,
): Promise<RawModbusServer> {
  const sockets = new Set<Socket>();
  const requests: RawRequest[] = [];
  let connections = 0;
  const headBytes = framing === "tcp" ? 6 : 0;
  const requestBytes = framing === "tcp" ? 12 : 8;
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    let buffer = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      while (buffer.length >= requestBytes) {
        const bytes = buffer.subarray(0, requestBytes);
        buffer = buffer.subarray(requestBytes);
        const unitId = bytes.readUInt8(headBytes);
        const transactionId = framing === "tcp" ? bytes.readUInt16BE(0) : 0;
        const functionCode = bytes.readUInt8(headBytes + 1);
        const frame: RawRequest["frame"] = (pdu, as = {}) => {
          const adu = Buffer.concat([Buffer.from([as.unitId ?? unitId]), pdu]);
          const extra = Buffer.alloc(framing === "tcp" ? 6 : 2);
          if (framing === "tcp") {
            extra.writeUInt16BE(as.transactionId ?? transactionId, 0);
            extra.writeUInt16BE(adu.length, 4);
            return Buffer.concat([extra, adu]);
          }
          extra.writeUInt16LE(crc16(adu), 0);
          return Buffer.concat([adu, extra]);
        };
        const request: RawRequest = {
          unitId,
          functionCode,
          transactionId,
          connection,
          socket,
          frame,
          address: bytes.readUInt16BE(headBytes + 2),
          count: bytes.readUInt16BE(headBytes + 4),
          number: requests.length + 1,
          data: (words) => frame(Buffer.from([functionCode, ...dataOf(functionCode, words)])),
          exception: (code) => frame(Buffer.from([functionCode | 0x80, code])),
          send: (out) => {
            if (!socket.destroyed) socket.write(out);
          },
        };
        requests.push(request);
        answer(request);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    connections: () => connections,
    openSockets: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function dataOf(functionCode: number, words: readonly number[]): number[] {
  if (functionCode > 2) return [words.length * 2, ...words.flatMap((word) => [word >> 8, word & 0xff])];
  const bytes = new Array<number>(Math.ceil(words.length / 8)).fill(0);
  words.forEach((word, i) => {
    if (word !== 0) bytes[i >> 3] = (bytes[i >> 3] ?? 0) | (1 << (i & 7));
  });
  return [bytes.length, ...bytes];
}
