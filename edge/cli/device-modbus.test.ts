import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { ServerTCP } from "modbus-serial";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli, startCli, temporaryFolder } from "./testing.ts";

// read, straight to a Modbus server of modbus-serial on a loopback socket.
const registers = new Map<number, number>([
  [99, 4711],
  [100, 17],
  [101, 0x6666],
  [102, 0x425d],
  [103, 0xfffe],
  [104, 0x4142],
  [105, 0x4300],
]);
let server: ServerTCP;
let endpoint = "";

beforeAll(async () => {
  server = new ServerTCP(
    {
      getHoldingRegister: (address: number, unitId: number, done: (error: Error | null, value: number) => void) => {
        const value = unitId === 3 ? registers.get(address) : undefined;
        // Exception 2, illegal data address, as a device answers for a register that it does not have.
        if (value === undefined) done(Object.assign(new Error("no such register"), { modbusErrorCode: 2 }), 0);
        else done(null, value);
      },
      getCoil: (address: number) => Promise.resolve(address % 3 === 0),
    },
    { host: "127.0.0.1", port: 0, unitID: 0 },
  );
  await new Promise<void>((resolve) => server.on("initialized", () => resolve()));
  const { port } = (server as unknown as { _server: { address(): { port: number } } })._server.address();
  endpoint = `modbus+tcp://127.0.0.1:${port}`;
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

test("values by type and order, raw registers, coils, text", async () => {
  const cwd = temporaryFolder();
  const what = ["holding:101:float32:CDAB", "holding:103:int16", "holding:99x2", "coil:0x4", "holding:104:string4"];
  const { code, stdout, stderr } = await runCli(["read", `${endpoint}?unitId=3`, ...what], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n").map((line) => line.replace(/ +/g, " "))).toEqual([
    "ADDRESS TYPE VALUE REGISTERS",
    "holding 101 float32 CDAB 55.35 6666 425d",
    "holding 103 int16 ABCD -2 fffe",
    "holding 99 uint16 4711 1267",
    "holding 100 uint16 17 0011",
    "coil 0 boolean true",
    "coil 1 boolean false",
    "coil 2 boolean false",
    "coil 3 boolean true",
    'holding 104 string4 ABCD "ABC" 4142 4300',
    "",
  ]);
  const json = await runCli(["read", endpoint, "--unit", "3", "holding:103:int16", "--json"], { cwd });
  expect(JSON.parse(json.stdout)).toMatchObject({ unitId: 3, values: [{ address: 103, value: -2, status: "Good" }] });
});

test("P20 --expect finds type, order and address from what the display shows, in a run and one address off", async () => {
  const cwd = temporaryFolder();
  const run = await runCli(["read", endpoint, "--unit", "3", "holding:99x6", "--expect", "55.35"], { cwd });
  expect(run.code).toBe(0);
  expect(run.stdout).toMatch(/These give 55\.35/);
  expect(run.stdout).toMatch(
    /VALUE +SCORE +FOR TAILSTOCK\.YAML\n *55\.35 +\S+ +\{ holding: 101, type: float32, order: CDAB \}$/m,
  );
  const off = await runCli(["read", endpoint, "--unit", "3", "holding:100:float32", "--expect", "55.35", "--json"], {
    cwd,
  });
  expect(JSON.parse(off.stdout)).toMatchObject({
    interpretations: [{ address: 101, type: "float32", order: "CDAB", scale: 1, matches: true }],
  });
  const nothing = await runCli(["read", endpoint, "--unit", "3", "holding:99x2", "--expect", "123456.7"], { cwd });
  expect(nothing.code).toBe(1);
  expect(nothing.stdout).toContain("Nothing gives 123456.7");
});

test("a register that the device does not have, and a wrong unit id", async () => {
  const cwd = temporaryFolder();
  const { code, stderr } = await runCli(["read", endpoint, "--unit", "3", "holding:500"], { cwd });
  expect(code).toBe(1);
  expect(stderr).toMatch(/unit 3, holding 500: .+\n {2}.+/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect((await runCli(["read", endpoint, "--unit", "8", "holding:100"], { cwd })).code).toBe(1);
});

test("an address that nobody listens on, and another protocol at the port: one sentence each, with a hint", async () => {
  const cwd = temporaryFolder();
  const web = createServer((socket) => {
    socket.on("error", () => undefined).resume();
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const bound = web.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const wrong = await runCli(["read", `modbus+tcp://127.0.0.1:${port}`, "holding:0"], { cwd });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toMatch(/^tailstock: .*127\.0\.0\.1:\d+.*\n {2}.+/);
  await new Promise((resolve) => web.close(resolve));
  const nobody = await runCli(["read", `modbus+tcp://127.0.0.1:${port}`, "holding:0", "--json"], { cwd });
  expect(nobody.code).toBe(1);
  expect(JSON.parse(nobody.stderr)).toMatchObject({
    error: { code: "DRIVER_NOT_CONNECTED", message: expect.stringContaining(String(port)), hint: expect.any(String) },
  });
});

test("up collects one's own machine from a few lines of YAML, applies an edit live, and ends on Ctrl-C", async () => {
  const cwd = temporaryFolder();
  const configOf = (signals: string): string =>
    `site: redmond\nmachines:\n  press-01:\n    address: ${endpoint}?unitId=3\n    signals: { ${signals} }\n`;
  const temperature = "temperature: { holding: 101, type: float32, order: CDAB, unit: °C, pollIntervalMs: 200 }";
  writeFileSync(join(cwd, "tailstock.yaml"), configOf(temperature));
  const up = startCli(["up", "--no-dashboard"], { cwd });
  await up.untilPrinted(/collecting \(no dashboard\)/);
  const tail = startCli(["tail", "press-01"], { cwd });
  await tail.untilPrinted(/redmond\/press-01 +temperature +55\.35 °C/);
  writeFileSync(join(cwd, "tailstock.yaml"), configOf(`${temperature}, level: { holding: 103, type: int16 }`));
  await tail.untilPrinted(/redmond\/press-01 +level +-2$/m, 10_000);
  tail.child.kill("SIGINT");
  await tail.ended;
  const second = await runCli(["up", "--no-dashboard"], { cwd });
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`process ${up.child.pid} already fills`);
  up.child.kill("SIGINT");
  expect((await up.ended).code).toBe(0);
  expect((await runCli(["status"], { cwd })).stdout).toMatch(/^runtime {2}NOT running \(.*ended in order .* ago\)$/m);
});
