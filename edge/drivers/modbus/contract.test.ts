import modbusSerial, { type ServerTCP } from "modbus-serial";
import { type ContractServer, describeDriverContract } from "../../../test/contract/driver-contract.ts";
import { modbusConnection, modbusDriver, modbusMachine, modbusSignal } from "../../../test/support/modbus-fixtures.ts";
import { startModbusServer } from "../../../test/support/modbus-server.ts";
import type { ModbusMachine, ModbusTransport } from "../../kernel/config/model.ts";
import { freePort } from "../../kernel/free-port.ts";

const INTERVAL_MS = 100;
const STALE_AFTER_MS = 1_000;
const UNIT_ID = 7;
const ADDRESS_STEP = 3;

// modbus-serial exports its server as a property of the client class, which its own types only know by name.
const { ServerTCP: Server } = modbusSerial as unknown as { ServerTCP: typeof ServerTCP };

interface Cells {
  readonly addressOf: (signal: string) => number;
  readonly registers: Map<number, number>;
  readonly refused: Set<number>;
  frozen: boolean;
}

interface Life {
  stop(): Promise<void>;
  openSockets(): number;
}

async function listenTcp(cells: Cells, port: number): Promise<Life> {
  const server = new Server(
    {
      getHoldingRegister: (address: number, unitId: number, done: (error: Error | null, register: number) => void) => {
        if (cells.frozen) return;
        const exceptionCode = unitId !== UNIT_ID ? 11 : cells.refused.has(address) ? 2 : 0;
        if (exceptionCode !== 0) done(Object.assign(new Error("refused"), { modbusErrorCode: exceptionCode }), 0);
        else done(null, cells.registers.get(address) ?? 0);
      },
    },
    { host: "127.0.0.1", port },
  );
  await new Promise<void>((resolve, reject) => {
    server.on("initialized", () => resolve());
    server.on("serverError", reject);
  });
  server.on("socketError", () => undefined);
  return {
    openSockets: () => server.socks.size,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of server.socks.keys()) socket.destroy();
      await closed;
    },
  };
}

async function listenRtu(cells: Cells, port: number): Promise<Life> {
  const server = await startModbusServer(
    "rtu-over-tcp",
    (request) => {
      if (cells.frozen || request.unitId !== UNIT_ID) return;
      const addresses = Array.from({ length: request.count }, (_, i) => request.address + i);
      const refused = addresses.some((each) => cells.refused.has(each));
      request.send(
        refused ? request.exception(2) : request.data(addresses.map((each) => cells.registers.get(each) ?? 0)),
      );
    },
    port,
  );
  return { openSockets: server.openSockets, stop: async () => server[Symbol.asyncDispose]() };
}

async function contractServer(
  kind: "tcp" | "rtu-over-tcp",
  values: ReadonlyMap<string, number>,
): Promise<ContractServer<ModbusMachine>> {
  const names = [...values.keys()];
  const addressOf = (signal: string) => 100 + names.indexOf(signal) * ADDRESS_STEP;
  const cells: Cells = {
    addressOf,
    registers: new Map([...values].map(([signal, value]) => [addressOf(signal), value])),
    refused: new Set(),
    frozen: false,
  };
  const listen = kind === "tcp" ? listenTcp : listenRtu;
  const port = await freePort();
  const transport: ModbusTransport = { kind, host: "127.0.0.1", port };
  let life: Life | null = await listen(cells, port);
  const stop = async () => {
    await life?.stop();
    life = null;
  };
  return {
    set: (signal, value) => cells.registers.set(addressOf(signal), value),
    makeUnreadable: (signal) => cells.refused.add(addressOf(signal)),
    stop,
    start: async () => {
      life = await listen(cells, port);
    },
    freeze: () => {
      cells.frozen = true;
    },
    thaw: () => {
      cells.frozen = false;
    },
    openSessions: () => life?.openSockets() ?? 0,
    machines: (signals) => [
      modbusMachine(
        UNIT_ID,
        signals.map((signal) => modbusSignal(signal, addressOf(signal), { pollIntervalMs: INTERVAL_MS })),
      ),
    ],
    createDriver: (machines, options) => modbusDriver(modbusConnection(port, { transport, machines }), options ?? {}),
    [Symbol.asyncDispose]: stop,
  };
}

for (const kind of ["tcp", "rtu-over-tcp"] as const) {
  describeDriverContract<ModbusMachine>(`modbus ${kind}`, {
    startServer: (values) => contractServer(kind, values),
    intervalMs: INTERVAL_MS,
    delivery: "every-interval",
    timestamps: "none",
    staleAfterMs: STALE_AFTER_MS,
  });
}
