import { expect, test } from "vitest";
import { parse } from "yaml";
import { plantMachines } from "./plant-layout.ts";
import { renderConfig } from "./render-config.ts";

const ADDRESSES = { opcuaEndpointUrl: "opc.tcp://127.0.0.1:4841/UA/Line", modbusPort: 1503 } as const;
const SHOP_UNITS = new Set("rpm % °C mm mm/s mm/min m/s² g bar psi l/min kW kWh A Hz s min h V °".split(" "));

interface Rendered {
  readonly site: string;
  readonly units: readonly string[];
  readonly connections: Readonly<Record<string, { address: string; security?: unknown }>>;
  readonly machineTypes: Readonly<
    Record<string, { protocol: string; signals: Readonly<Record<string, Readonly<Record<string, unknown>>>> }>
  >;
  readonly machines: Readonly<Record<string, { type: string; connection: string; unitId?: number }>>;
}

test("the config parses, names every machine, and gives every signal a place, a title and a known unit", () => {
  const config = parse(renderConfig(ADDRESSES)) as Rendered;
  expect(config.site).toBe("redmond");
  expect(Object.keys(config.machines)).toEqual(plantMachines().map(({ id }) => id));
  expect(config.connections["machining-line"]).toEqual({
    address: ADDRESSES.opcuaEndpointUrl,
    security: { mode: "sign-and-encrypt", policy: "auto", trust: "first-use" },
  });
  expect(config.connections["press-line"]?.address).toBe("modbus+tcp://127.0.0.1:1503");
  for (const { type, connection } of Object.values(config.machines)) {
    expect(config.connections).toHaveProperty(connection);
    expect(config.machineTypes).toHaveProperty(type);
  }
  for (const [typeName, { protocol, signals }] of Object.entries(config.machineTypes)) {
    const keys = Object.values(signals).filter(({ key }) => key === true);
    expect(keys.length, typeName).toBeGreaterThanOrEqual(4);
    expect(keys.length, typeName).toBeLessThanOrEqual(6);
    expect(signals.state?.key, typeName).toBe(true);
    for (const [name, signal] of Object.entries(signals)) {
      expect(typeof signal.title, name).toBe("string");
      if (signal.unit !== undefined) expect(SHOP_UNITS, name).toContain(signal.unit);
      const places = ["node", "coil", "discrete", "input", "holding"].filter((key) => key in signal);
      expect(places, name).toHaveLength(1);
      expect(places[0] === "node", name).toBe(protocol === "opcua");
    }
  }
});

test("it can be plain text, smaller, and elsewhere", () => {
  const text = renderConfig({
    ...ADDRESSES,
    size: { mills: 1, lathes: 0, presses: 2 },
    security: "none",
    site: "tacoma",
    logPath: "/var/lib/tail stock/log.db",
    dashboardPort: 8090,
  });
  const config = parse(text) as Rendered & { log: { path: string }; dashboard: { port: number } };
  expect(Object.keys(config.machines)).toEqual(["mill-01", "press-01", "press-02", "compressor-01"]);
  expect(Object.keys(config.machineTypes)).toEqual(["cnc-mill", "press", "compressor"]);
  expect(config.connections["machining-line"]?.security).toBe("none");
  expect(config.site).toBe("tacoma");
  expect(config.log.path).toBe("/var/lib/tail stock/log.db");
  expect(config.dashboard.port).toBe(8090);
  expect(text).toMatch(/^# /m);
});
