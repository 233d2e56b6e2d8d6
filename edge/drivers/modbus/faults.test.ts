import { describe, expect, test } from "vitest";
import type { Sample } from "../../../cloud-sync/contract/sample.ts";
import { pause, until, watch } from "../../../test/contract/watch.ts";
import {
  cellValue,
  FRAMINGS,
  framingOf,
  modbusConnection,
  modbusDriver,
  modbusMachine,
  modbusSignal,
} from "../../../test/support/modbus-fixtures.ts";
import { type RawRequest, startModbusServer } from "../../../test/support/modbus-server.ts";
import type { ModbusConnection, ModbusMachine } from "../../kernel/config/model.ts";
import { StatusCode } from "../../kernel/status-code.ts";

async function start(
  framing: "tcp" | "rtu-over-tcp",
  machines: readonly ModbusMachine[],
  answer: (request: RawRequest) => void,
  other: Partial<ModbusConnection> = {},
) {
  const server = await startModbusServer(framing, answer);
  const transport = framingOf(framing, server.port);
  const driver = modbusDriver(
    modbusConnection(server.port, { transport, machines, timeoutMs: 120, retries: 0, ...other }),
    { quarantineRetryMs: 400 },
  );
  const seen = watch(driver);
  return {
    server,
    driver,
    seen,
    async [Symbol.asyncDispose]() {
      await seen.stop();
      await driver[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const good = (sample: Sample) => sample.statusCode === StatusCode.Good;
const words = ({ address, count, unitId }: RawRequest) =>
  Array.from({ length: count }, (_, i) => cellValue(unitId, address + i));
const ONE = [modbusMachine(5, [modbusSignal("speed", 10)])];

describe.each(FRAMINGS)("%s: answers that are none", (framing) => {
  // Each wrong answer replaces the right one of one request; before and after it the server is a good one.
  const wrong: readonly [string, (request: RawRequest) => void, number][] = [
    ["nothing", () => undefined, StatusCode.BadTimeout],
    [
      "another unit's answer",
      (r) => r.send(r.frame(Buffer.from([3, 2, 0, 66]), { unitId: 6 })),
      StatusCode.BadCommunicationError,
    ],
    ["another function's answer", (r) => r.send(r.frame(Buffer.from([4, 2, 0, 66]))), StatusCode.BadCommunicationError],
    [
      "another unit's exception",
      (r) => r.send(r.frame(Buffer.from([0x83, 2]), { unitId: 6 })),
      StatusCode.BadCommunicationError,
    ],
    ["too few data bytes", (r) => r.send(r.frame(Buffer.from([3, 2, 7]))), StatusCode.BadCommunicationError],
    ["too many registers", (r) => r.send(r.data([66, 67])), StatusCode.BadCommunicationError],
    ["a lying byte count", (r) => r.send(r.frame(Buffer.from([3, 4, 0, 66]))), StatusCode.BadCommunicationError],
    ["garbage", (r) => r.send(Buffer.from("HTTP/1.1 400 Bad Request\r\n")), StatusCode.BadCommunicationError],
    ["three stray bytes", (r) => r.send(Buffer.from([0xff, 0x00, 0x13])), StatusCode.BadCommunicationError],
    ["half an answer", (r) => r.send(r.data([66]).subarray(0, -3)), StatusCode.BadCommunicationError],
  ];
  test.each(wrong)("P22 %s is one Bad sample, and the line is well afterwards", async (_, misbehave, statusCode) => {
    await using line = await start(framing, ONE, (request) => {
      if (request.number === 3) misbehave(request);
      else request.send(request.data(words(request)));
    });
    await until(() => line.seen.samples.length >= 7, 3_000, "seven samples");
    const bad = line.seen.samples.filter((sample) => !good(sample));
    expect(bad).toMatchObject([{ value: null, statusCode }]);
    for (const sample of line.seen.samples.filter(good)) expect(sample.value).toBe(cellValue(5, 10));
    expect(line.seen.faults).toEqual([]);
    expect(line.driver.status().state).toBe("connected");
  });

  test("an answer in single bytes and two answers' bytes in a row are no fault", async () => {
    await using line = await start(framing, ONE, async (request) => {
      for (const byte of request.data(words(request))) {
        request.send(Buffer.from([byte]));
        await pause(1);
      }
    });
    await until(() => line.seen.samples.length >= 4, 3_000, "four samples");
    expect(line.seen.samples.every((sample) => good(sample) && sample.value === cellValue(5, 10))).toBe(true);
  });

  test.each([1.3, 1.8, 2.4])("P22 an answer %f timeouts late is never taken for the next one", async (timeouts) => {
    const late = new Set<number>();
    await using line = await start(framing, ONE, (request) => {
      const isLate = request.number % 3 === 0;
      if (isLate) late.add(request.number);
      // The request's number is its value: whose answer a sample is can be read off it.
      setTimeout(() => request.send(request.data([request.number])), isLate ? 120 * timeouts : 20);
    });
    await until(() => late.size >= 3 && line.seen.samples.length >= 9, 8_000, "nine samples, three answers late");
    const taken = line.seen.samples.filter(good).map(({ value }) => Number(value));
    expect(taken.length).toBeGreaterThanOrEqual(4);
    expect(taken.filter((number) => late.has(number))).toEqual([]);
    expect(new Set(taken).size).toBe(taken.length);
    expect(line.driver.status().counters.staleReplies).toBeGreaterThan(0);
  });

  test("P22 one dead unit does not stall its line, and is found again when it is back", async () => {
    let dead = true;
    const machines = [1, 2, 3].map((unitId) => modbusMachine(unitId, [modbusSignal(`of-${unitId}`, unitId)]));
    await using line = await start(framing, machines, (request) => {
      if (request.unitId !== 2 || !dead) request.send(request.data(words(request)));
    });
    await until(() => line.driver.status().counters.breakersOpened === 1, 4_000, "the breaker of unit 2 opened");
    const requestsBefore = line.server.requests.length;
    const samplesBefore = line.seen.of("of-1").length;
    await pause(1_000);
    // 1,000 ms at 50 ms are 20 points; probing the dead unit costs the line some of them, not most.
    expect(line.seen.of("of-1").length - samplesBefore).toBeGreaterThan(8);
    const asked = line.server.requests.slice(requestsBefore).filter(({ unitId }) => unitId === 2).length;
    expect(asked).toBeGreaterThanOrEqual(1);
    expect(asked).toBeLessThanOrEqual(4);
    expect(line.seen.latest("of-2")).toMatchObject({ value: null, statusCode: StatusCode.BadTimeout });
    expect(line.seen.of("of-2").length).toBeGreaterThan(8); // Bad at its cadence, not silent
    expect(line.driver.status()).toMatchObject({ state: "degraded", problems: [{ signal: "of-2" }] });
    expect([...line.seen.of("of-1"), ...line.seen.of("of-3")].every(good)).toBe(true);
    dead = false;
    await until(() => line.seen.latest("of-2")?.value === cellValue(2, 2), 3_000, "unit 2 is Good again");
    await until(() => line.driver.status().state === "connected", 1_000, "connected");
    expect(line.driver.status().problems).toEqual([]);
  });

  test("P21 one bad register of forty is found by bisecting; only its signal is Bad", async () => {
    let bad = true;
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`);
    const machines = [
      modbusMachine(
        4,
        names.map((name, i) => modbusSignal(name, 100 + i)),
      ),
    ];
    await using line = await start(framing, machines, (request) => {
      const hit = request.address <= 117 && request.address + request.count > 117;
      request.send(bad && hit ? request.exception(2) : request.data(words(request)));
    });
    await until(() => line.seen.of("s39").length >= 4, 3_000, "four samples of the last signal");
    for (const [i, name] of names.entries()) {
      const samples = line.seen.of(name);
      if (i === 17) {
        expect(samples.every(({ statusCode }) => statusCode === StatusCode.BadNodeIdUnknown)).toBe(true);
      } else
        expect(
          samples.every(({ value }) => value === cellValue(4, 100 + i)),
          name,
        ).toBe(true);
      expect(samples.length).toBeGreaterThanOrEqual(3);
    }
    expect(line.driver.status().problems).toMatchObject([{ signal: "s17", statusCode: StatusCode.BadNodeIdUnknown }]);
    // Log2(40) splits once; afterwards the register is left alone but for a try now and then.
    expect(line.driver.status().counters.bisected).toBeLessThanOrEqual(6);
    bad = false;
    await until(() => line.seen.latest("s17")?.value === cellValue(4, 117), 3_000, "the register is Good again");
    const before = line.server.requests.length;
    await until(() => line.server.requests.length >= before + 3, 2_000, "three more requests");
    expect(line.server.requests.at(-1)).toMatchObject({ address: 100, count: 40 });
  });
});

test("P22 an answer under a wrong transaction id is not taken", async () => {
  await using line = await start("tcp", ONE, (request) => {
    if (request.number === 2) {
      request.send(request.frame(Buffer.from([3, 2, 0, 66]), { transactionId: (request.transactionId + 1) & 0xffff }));
    }
    request.send(request.data(words(request)));
  });
  await until(() => line.seen.samples.length >= 5, 3_000, "five samples");
  expect(line.seen.samples.every((sample) => good(sample) && sample.value === cellValue(5, 10))).toBe(true);
  expect(line.driver.status().counters.staleReplies).toBe(1);
});

test("P21 cells between two signals that may not be read are read around from then on", async () => {
  const machines = [modbusMachine(4, [modbusSignal("a", 10), modbusSignal("b", 14)])];
  await using line = await start("tcp", machines, (request) => {
    const hit = request.address <= 12 && request.address + request.count > 12;
    request.send(hit ? request.exception(2) : request.data(words(request)));
  });
  await until(() => line.seen.of("b").length >= 4, 3_000, "four samples");
  expect(line.seen.samples.every(good)).toBe(true);
  expect(line.server.requests.filter(({ count }) => count > 1)).toHaveLength(1);
  expect(line.driver.status().problems).toEqual([]);
});

test("P21 a device with a shorter longest read than configured is learned", async () => {
  const machines = [
    modbusMachine(
      4,
      Array.from({ length: 32 }, (_, i) => modbusSignal(`s${i}`, i)),
    ),
  ];
  await using line = await start("tcp", machines, (request) => {
    request.send(request.count > 10 ? request.exception(3) : request.data(words(request)));
  });
  await until(() => line.seen.of("s31").length >= 4, 3_000, "four samples");
  expect(line.seen.samples.every(good)).toBe(true);
  expect(line.server.requests.slice(-8).every(({ count }) => count <= 10)).toBe(true);
});

test.each([
  ["in trouble for a while", (request: RawRequest) => request.number >= 5 && request.number <= 12, 0],
  ["with one register that it calls a failure", (r: RawRequest) => r.address <= 9 && r.address + r.count > 9, 1],
  [
    "that calls its first and last register a failure",
    (r: RawRequest) => r.address === 0 || r.address + r.count === 40,
    2,
  ],
] as const)("P21 exception 4 of a device %s", async (_, fails, problems) => {
  const signals = Array.from({ length: 40 }, (__, i) => modbusSignal(`s${i}`, i));
  await using line = await start("tcp", [modbusMachine(4, signals)], (request) => {
    request.send(fails(request) ? request.exception(4) : request.data(words(request)));
  });
  await until(() => line.server.requests.length > 12, 3_000, "the trouble is over");
  const before = line.seen.samples.length;
  await until(() => line.seen.samples.slice(before).filter(good).length >= 120, 2_000, "Good samples");
  expect(line.driver.status().problems).toHaveLength(problems);
  const bad = new Set(line.seen.samples.filter((sample) => !good(sample)).map(({ signal }) => signal));
  // Trouble of the whole device is told of every signal; one register's is its own.
  expect(bad.size).toBe(problems === 1 ? 1 : 40);
});

test("an apply while a read is under way takes effect after it, and repeats nothing", async () => {
  let applied = false;
  const every = { pollIntervalMs: 150 };
  const [kept, removed] = [modbusSignal("kept", 1, every), modbusSignal("removed", 2, every)];
  await using line = await start("tcp", [modbusMachine(5, [kept, removed])], (request) => {
    if (request.number === 4) {
      line.driver.apply([modbusMachine(5, [kept, modbusSignal("added", 3, every)])]);
      applied = true;
    }
    setTimeout(() => request.send(request.data(words(request))), 10);
  });
  await until(() => applied && line.seen.of("added").length >= 4, 3_000, "four samples of the added signal");
  expect(line.seen.of("removed")).toHaveLength(3);
  const times = line.seen.of("kept").map(({ receivedTimestampMs }) => receivedTimestampMs);
  const stepsMs = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(Math.min(...stepsMs)).toBeGreaterThan(50);
  expect(line.seen.latest("added")?.value).toBe(cellValue(5, 3));
});

describe("exceptions", () => {
  const codes: readonly [number, number][] = [
    [1, StatusCode.BadNotSupported],
    [2, StatusCode.BadNodeIdUnknown],
    [3, StatusCode.BadOutOfRange],
    [4, StatusCode.BadDeviceFailure],
    [6, StatusCode.BadOutOfService],
    [8, StatusCode.BadDeviceFailure],
    [10, StatusCode.BadCommunicationError],
    [11, StatusCode.BadTimeout],
    [99, StatusCode.BadUnexpectedError],
  ];
  test.each(codes)("P21 exception %i of one unit leaves the other alone", async (code, statusCode) => {
    const machines = [1, 2].map((unitId) => modbusMachine(unitId, [modbusSignal(`of-${unitId}`, unitId)]));
    await using line = await start("tcp", machines, (request) => {
      request.send(request.unitId === 1 ? request.exception(code) : request.data(words(request)));
    });
    await until(() => line.seen.of("of-2").length >= 4 && line.seen.of("of-1").length >= 3, 3_000, "samples of both");
    expect(line.seen.of("of-1").every((sample) => sample.statusCode === statusCode && sample.value === null)).toBe(
      true,
    );
    expect(line.seen.of("of-2").every(({ value }) => value === cellValue(2, 2))).toBe(true);
    expect(line.driver.status().problems).toMatchObject([{ signal: "of-1", statusCode }]);
  });

  test("a busy device is asked again at once, and its signal stays Good", async () => {
    const busy = (request: RawRequest) => request.number % 3 === 1;
    await using line = await start(
      "tcp",
      ONE,
      (request) => request.send(busy(request) ? request.exception(6) : request.data(words(request))),
      { retries: 1 },
    );
    await until(() => line.seen.samples.length >= 6, 3_000, "six samples");
    expect(line.seen.samples.every(good)).toBe(true);
    expect(line.driver.status().counters.retries).toBeGreaterThan(1);
  });
});

test("a server that closes its connection after each answer costs no sample", async () => {
  await using line = await start("tcp", ONE, (request) => {
    request.send(request.data(words(request)));
    request.socket.end();
  });
  await until(() => line.seen.samples.length >= 6, 3_000, "six samples");
  expect(line.seen.samples.every(good)).toBe(true);
  expect(line.seen.connects()).toBe(1);
  expect(line.server.connections()).toBeGreaterThanOrEqual(6);
  await until(() => line.server.openSockets() <= 1, 1_000, "no more than one socket open");
});

test("P22 a half-open connection is replaced", async () => {
  await using line = await start("tcp", ONE, (request) => {
    // The first connection dies silently after two answers, as behind a firewall that forgot it.
    if (request.connection > 1 || request.number <= 2) request.send(request.data(words(request)));
  });
  await until(() => line.seen.samples.some((sample) => !good(sample)), 3_000, "a Bad sample");
  await until(() => line.seen.latest("speed")?.statusCode === StatusCode.Good, 5_000, "Good again");
  expect(line.server.connections()).toBe(2);
  await until(() => line.server.openSockets() === 1, 1_000, "the dead socket is closed");
});

test("a gateway: several units behind one connection keep their values apart, bits and registers alike", async () => {
  const machines = [1, 2, 255].map((unitId) =>
    modbusMachine(unitId, [
      modbusSignal(`word-${unitId}`, 20),
      modbusSignal(`input-${unitId}`, 21, { table: "input" }),
      modbusSignal(`coil-${unitId}`, unitId % 7, { table: "coil", type: "boolean" }),
      modbusSignal(`guard-${unitId}`, 9, { table: "discrete", type: "boolean" }),
    ]),
  );
  await using line = await start("tcp", machines, (request) => {
    const bits = Array.from({ length: request.count }, (_, i) => (request.address + i + request.unitId) % 2);
    request.send(request.data(request.functionCode <= 2 ? bits : words(request)));
  });
  await until(() => line.seen.of("guard-255").length >= 2, 3_000, "two rounds");
  for (const unitId of [1, 2, 255]) {
    expect(line.seen.latest(`word-${unitId}`)?.value).toBe(cellValue(unitId, 20));
    expect(line.seen.latest(`input-${unitId}`)?.value).toBe(cellValue(unitId, 21));
    expect(line.seen.latest(`coil-${unitId}`)?.value).toBe(((unitId % 7) + unitId) % 2 === 1);
    expect(line.seen.latest(`guard-${unitId}`)?.value).toBe((9 + unitId) % 2 === 1);
  }
  expect(line.server.connections()).toBe(1);
});
