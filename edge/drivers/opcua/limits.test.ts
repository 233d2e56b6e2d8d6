import { type CreateMonitoredItemsRequest, type ReadRequest, StatusCodes } from "node-opcua";
import { expect, test } from "vitest";
import { until, watch } from "../../../test/contract/watch.ts";
import { severityOf } from "../../kernel/status-code.ts";
import { breakService } from "./testing/break-service.ts";
import { opcuaConnection, opcuaDriver, opcuaMachine, opcuaSignal } from "./testing/harness.ts";
import { TestServer } from "./testing/opcua-server.ts";

const FORTY = new Map(Array.from({ length: 40 }, (_, i) => [`s${i}`, 500 + i] as const));
const NO_LIMITS = { maxNodesPerRead: 0, maxMonitoredItemsPerCall: 0 };
const signals = (mode: "subscribe" | "poll") => [...FORTY.keys()].map((name) => opcuaSignal(name, { mode }));

for (const mode of ["subscribe", "poll"] as const) {
  test(`P15 a call that fails as a whole because of one item is bisected until that item stands alone (${mode})`, async () => {
    await using server = await new TestServer({ values: FORTY }).start();
    const callSizes: number[] = [];
    const verdict = (names: readonly string[]) => {
      if (!names.some((name) => name.includes("Mill."))) return undefined;
      callSizes.push(names.length);
      return names.some((name) => name.endsWith("Mill.s23")) ? StatusCodes.BadInternalError : undefined;
    };
    breakService<CreateMonitoredItemsRequest>(server, "CreateMonitoredItems", (request) =>
      verdict((request.itemsToCreate ?? []).map((each) => each.itemToMonitor.nodeId.toString())),
    );
    if (mode === "poll") {
      breakService<ReadRequest>(server, "Read", (request) =>
        verdict((request.nodesToRead ?? []).map((each) => each.nodeId.toString())),
      );
    }
    await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(signals(mode))]), {
      retryMs: 60_000,
    });
    await using seen = watch(driver);
    await until(
      () => [...FORTY].every(([name, value]) => name === "s23" || seen.latest(name)?.value === value),
      5_000,
      "the values of all others",
    );
    await until(() => driver.status().problems.length > 0, 2_000, "a problem");
    expect(driver.status().problems).toMatchObject([
      { signal: "s23", statusCode: StatusCodes.BadInternalError.value >>> 0 },
    ]);
    expect(seen.latest("s23")?.statusCode).toBe(StatusCodes.BadInternalError.value >>> 0);
    expect(seen.samples.filter((each) => each.signal !== "s23" && severityOf(each.statusCode) !== "good")).toEqual([]);
    // Two calls for each halving of 40, and the first.
    if (mode === "subscribe") expect(callSizes.length).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(40)));
    expect(driver.status().counters).toMatchObject({ sessions: 1, ladderClimbs: 0 });
  });
}

for (const mode of ["subscribe", "poll"] as const) {
  test(`P15 BadTooManyOperations halves the call, and the smaller size is remembered (${mode})`, async () => {
    await using server = await new TestServer({
      values: FORTY,
      server: { serverCapabilities: { operationLimits: NO_LIMITS } as never },
    }).start();
    const callSizes: number[] = [];
    const verdict = (size: number) => {
      if (size > 1) callSizes.push(size);
      return size > 7 ? StatusCodes.BadTooManyOperations : undefined;
    };
    if (mode === "poll")
      breakService<ReadRequest>(server, "Read", ({ nodesToRead }) => verdict(nodesToRead?.length ?? 0));
    breakService<CreateMonitoredItemsRequest>(server, "CreateMonitoredItems", ({ itemsToCreate }) =>
      verdict(itemsToCreate?.length ?? 0),
    );
    await using driver = opcuaDriver(opcuaConnection(server.endpointUrl, [opcuaMachine(signals(mode))]));
    await using seen = watch(driver);
    const all = (offset: number) => [...FORTY].every(([name, value]) => seen.latest(name)?.value === value + offset);
    await until(() => all(0), 5_000, "all values");
    for (const [name, value] of FORTY) server.set(name, value + 1_000);
    await until(() => all(1_000), 5_000, "all new values");
    const firstLarge = callSizes.indexOf(40);
    expect(callSizes.slice(firstLarge, firstLarge + 4)).toEqual([40, 20, 10, 5]);
    expect(
      callSizes.slice(firstLarge + 3).every((size) => size === 5),
      `calls of ${callSizes}`,
    ).toBe(true);
    expect(driver.status().problems).toEqual([]);
    expect(driver.status().counters).toMatchObject({ sessions: 1, ladderClimbs: 0 });
  });
}

test("P15 more signals than one subscription may hold are spread over several", async () => {
  await using server = await new TestServer({
    values: FORTY,
    server: { serverCapabilities: { maxMonitoredItemsPerSubscription: 9 } as never },
  }).start();
  const perSubscription = new Map<number, number>();
  breakService<CreateMonitoredItemsRequest>(server, "CreateMonitoredItems", ({ subscriptionId, itemsToCreate }) => {
    const count = (perSubscription.get(subscriptionId) ?? 0) + (itemsToCreate?.length ?? 0);
    if (count > 9) return StatusCodes.BadTooManyMonitoredItems;
    perSubscription.set(subscriptionId, count);
    return undefined;
  });
  const connection = opcuaConnection(server.endpointUrl, [opcuaMachine(signals("subscribe"))]);
  await using driver = opcuaDriver(connection);
  await using seen = watch(driver);
  const all = (offset: number) => [...FORTY].every(([name, value]) => seen.latest(name)?.value === value + offset);
  await until(() => all(0), 5_000, "all values");
  expect([...perSubscription.values()]).toEqual([9, 9, 9, 9, 4]);
  for (let round = 1; round <= 10; round++) {
    for (const [name, value] of FORTY) server.set(name, value + round * 100);
    await until(() => all(round * 100), 2_000, `all values of round ${round}`);
  }
  expect(seen.samples).toHaveLength(40 * 11);
  expect(driver.status()).toMatchObject({
    state: "connected",
    problems: [],
    counters: { sessions: 1, ladderClimbs: 0, republished: 0 },
  });
});
