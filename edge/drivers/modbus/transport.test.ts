import { createServer } from "node:net";
import { expect, test } from "vitest";
import { StatusCode } from "../../kernel/status-code.ts";
import { openTransport } from "./transport.ts";

const never = () => new AbortController().signal;

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

test("a port where nobody listens: the hint names the port and Modbus", async () => {
  const transport = { kind: "tcp", host: "127.0.0.1", port: await closedPort() } as const;
  await expect(openTransport(transport, never())).rejects.toMatchObject({
    code: "DRIVER_NOT_CONNECTED",
    statusCode: StatusCode.BadNotConnected,
    message: expect.stringContaining(`127.0.0.1:${transport.port}`),
    hint: expect.stringContaining("502"),
  });
});

test("an aborted attempt ends at once", async () => {
  const transport = { kind: "tcp", host: "127.0.0.1", port: await closedPort() } as const;
  await expect(openTransport(transport, AbortSignal.abort())).rejects.toMatchObject({ code: "DRIVER_NOT_CONNECTED" });
});

test("a serial port that does not exist: the real serialport says so, with a hint where to look", async () => {
  const line = { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 } as const;
  await expect(openTransport({ kind: "rtu", device: "/dev/no-such-port", ...line }, never())).rejects.toMatchObject({
    code: "DRIVER_NOT_CONNECTED",
    message: expect.stringContaining("/dev/no-such-port"),
    hint: expect.stringContaining("adapter"),
  });
});
