import {
  type CreateSubscriptionRequest,
  DataType,
  type PublishRequest,
  PublishResponse,
  StatusCodes,
  Variant,
} from "node-opcua";
import { expect, test } from "vitest";
import { pause, until, watch } from "../../../test/contract/watch.ts";
import { severityOf } from "../../kernel/status-code.ts";
import { breakService, loseAnswers } from "./testing/break-service.ts";
import { opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { MILLS, TestServer } from "./testing/opcua-server.ts";

const VALUES = new Map([
  ["speed", 1_201],
  ["load", 32],
]);
const MACHINES = [opcuaMachine([...VALUES.keys()].map((name) => opcuaSignal(name)))];
const isPublish = (response: unknown): response is PublishResponse => response instanceof PublishResponse;
const holdsData = (response: PublishResponse): boolean =>
  (response.notificationMessage.notificationData?.length ?? 0) > 0;

// Lost: one message in the middle; the very first; two in a row, with which all waiting publish requests are gone as well.
for (const { which, lost } of [
  { which: "one", lost: [4] },
  { which: "the first", lost: [1] },
  { which: "two in a row", lost: [3, 4] },
]) {
  test(`P13 ${which} of the notifications lost on the way: fetched by Republish, in order, told once`, async () => {
    await using server = await new TestServer({ values: VALUES }).start();
    const swallowed: number[] = [];
    loseAnswers(server, "Publish", isPublish, (response) => {
      const sequence = response.notificationMessage.sequenceNumber;
      if (!holdsData(response) || !lost.includes(sequence) || swallowed.includes(sequence)) return false;
      swallowed.push(sequence);
      return true;
    });
    await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
    await using seen = watch(driver);
    const expected = [32];
    await until(() => swallowed.length > 0 || seen.latest("load")?.value === 32, 5_000, "the first notification");
    for (let value = 33; value <= 44; value++) {
      const before = swallowed.length;
      server.set("load", value);
      expected.push(value);
      await until(
        () => swallowed.length > before || seen.latest("load")?.value === value,
        3_000,
        `the notification of ${value}`,
      );
    }
    expect(swallowed).toEqual(lost);
    expect(seen.of("load").map((sample) => sample.value)).toEqual(expected);
    expect(seen.of("speed")).toHaveLength(1);
    expect(driver.status().counters).toMatchObject({ sessions: 1, ladderClimbs: 0 });
    // With all requests gone the server's whole queue is fetched: one that is on its way may be among it.
    expect(driver.status().counters.republished).toBeGreaterThanOrEqual(lost.length);
  });
}

test("P13 a lost notification that the server no longer holds is asked for once, and reading goes on", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  let swallowed = false;
  loseAnswers(server, "Publish", isPublish, (response) => {
    if (swallowed || !holdsData(response) || response.notificationMessage.sequenceNumber !== 2) return false;
    swallowed = true;
    return true;
  });
  let asked = 0;
  breakService(server, "Republish", () => {
    asked++;
    return StatusCodes.BadMessageNotAvailable;
  });
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  await until(() => seen.latest("load")?.value === 32, 5_000, "a value");
  for (const value of [33, 34, 35]) {
    server.set("load", value);
    await until(() => (value === 33 ? swallowed : seen.latest("load")?.value === value), 3_000, `the value ${value}`);
  }
  await pause(1_500);
  expect(asked).toBe(1);
  expect(seen.of("load").map((sample) => sample.value)).toEqual([32, 34, 35]);
  expect(driver.status().counters).toMatchObject({ republished: 0, sessions: 1, ladderClimbs: 0 });
});

test("P13 a server that sends waiting publish requests back is asked again, which is no fault", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  let requests = 0;
  breakService<PublishRequest>(server, "Publish", () => (++requests % 3 === 0 ? StatusCodes.BadTimeout : undefined));
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  for (let value = 32; value < 40; value++) {
    server.set("load", value);
    await until(() => seen.latest("load")?.value === value, 3_000, `the value ${value}`);
  }
  expect(requests).toBeGreaterThan(6);
  expect(driver.status().counters).toMatchObject({ sessions: 1, ladderClimbs: 0 });
});

test("P13 a keep-alive revised far above what was asked raises no alarm", async () => {
  await using server = await new TestServer({ values: VALUES }).start();
  breakService<CreateSubscriptionRequest>(server, "CreateSubscription", (request) => {
    request.requestedMaxKeepAliveCount = 12_000; // ten minutes at 50 ms
    return undefined;
  });
  const timeouts: number[] = [];
  breakService<PublishRequest>(server, "Publish", (request) => {
    timeouts.push(request.requestHeader.timeoutHint);
    return undefined;
  });
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, MACHINES));
  await using seen = watch(driver);
  await until(() => seen.latest("load")?.value === 32, 5_000, "a value");
  await pause(3_500);
  server.set("load", 33);
  await until(() => seen.latest("load")?.value === 33, 2_000, "a change after a long silence");
  expect(seen.samples.filter((sample) => severityOf(sample.statusCode) !== "good")).toEqual([]);
  expect(driver.status().counters).toMatchObject({ sessions: 1, ladderClimbs: 0 });
  expect(Math.min(...timeouts), "a request may wait for longer than a keep-alive takes").toBeGreaterThan(600_000);
});

test("P13 a sampling interval revised far above what was asked raises no alarm", async () => {
  const began = performance.now();
  await using server = await new TestServer({
    values: VALUES,
    build: (namespace) => {
      for (const name of ["slow", "slower"]) {
        namespace.addVariable({
          browseName: name,
          nodeId: `s=${name}`,
          organizedBy: "ObjectsFolder",
          dataType: "Double",
          minimumSamplingInterval: 3_000,
          value: { get: () => new Variant({ dataType: DataType.Double, value: performance.now() - began }) },
        } as never);
      }
    },
  }).start();
  const slow = ["slow", "slower"].map((name) =>
    opcuaSignal(name, { node: `nsu=${MILLS};s=${name}`, samplingIntervalMs: 100 }),
  );
  await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(slow)]));
  await using seen = watch(driver);
  await until(() => slow.every(({ name }) => seen.latest(name) !== undefined), 5_000, "a first value");
  await pause(8_000);
  expect(seen.samples.filter((sample) => severityOf(sample.statusCode) !== "good")).toEqual([]);
  for (const { name } of slow) expect(seen.of(name).length).toBeGreaterThanOrEqual(3);
  expect(driver.status()).toMatchObject({
    state: "connected",
    problems: [],
    counters: { sessions: 1, ladderClimbs: 0 },
  });
});
