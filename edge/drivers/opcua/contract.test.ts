import { describeDriverContract } from "../../../test/contract/driver-contract.ts";
import { TcpProxy } from "../../../test/support/tcp-proxy.ts";
import type { OpcuaMachine } from "../../kernel/config/model.ts";
import { opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { TestServer } from "./testing/opcua-server.ts";

const STALE_AFTER_MS = 1_000;

describeDriverContract<OpcuaMachine>("OPC UA", {
  intervalMs: 50,
  delivery: "on-change",
  timestamps: "from-server",
  staleAfterMs: STALE_AFTER_MS,
  async startServer(values) {
    const server = await new TestServer({ values }).start();
    const proxy = await new TcpProxy(server.port).listen();
    return {
      set: (signal, value) => server.set(signal, value),
      makeUnreadable: (signal) => {
        server.removed.add(signal);
        const node = server.nodes.get(signal);
        if (node) server.server?.engine.addressSpace?.deleteNode(node.nodeId);
      },
      stop: () => server.stop(),
      start: async () => void (await server.start()),
      freeze: () => {
        proxy.mode = "freeze";
      },
      thaw: () => {
        proxy.mode = "pass";
      },
      openSessions: () => server.sessions,
      machines: (signals) => [opcuaMachine(signals.map((name) => opcuaSignal(name)))],
      createDriver: (machines, options) =>
        opcuaDriver(
          opcuaConnection(`opc.tcp://127.0.0.1:${proxy.port}/UA`, machines, { staleAfterMs: STALE_AFTER_MS }),
          options,
        ),
      async [Symbol.asyncDispose]() {
        await proxy[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  },
});
