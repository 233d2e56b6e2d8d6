import { afterEach, beforeEach, expect, test } from "vitest";
import type { NewEvent } from "../../../cloud-sync/contract/event.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import type { Trend } from "../schemas/trend.ts";
import type { FactoryLog } from "../testing/factory-log.ts";
import { MILL, PRESS, TestSite } from "../testing/test-site.ts";

let site: TestSite;
let factory: FactoryLog;

beforeEach(() => {
  site = new TestSite();
  factory = site.factory;
});
afterEach(() => site.close());

test("P27 a trend is thinned on the server: bounded points, spikes kept, breaks shown, other requests answered meanwhile", async () => {
  const signals = Array.from({ length: 20 }, (_, index) => ({ name: `s${index}` }));
  factory.shiftMs = -8 * 3_600_000;
  await factory.append(factory.machine(MILL, signals), factory.connection([MILL]));
  const fromMs = factory.clock.nowMs();
  const seconds = 8 * 3_600;
  let batch: NewEvent[] = [];
  for (let second = 0; second < seconds; second += 2) {
    factory.shiftMs = fromMs + second * 1_000 - Date.now();
    const wave = 100 + Math.sin(second / 900) * 10;
    const values = Object.fromEntries(signals.map(({ name }, index) => [name, wave + index]));
    // One sample of 14,400 is a spike; for ten minutes the second signal is Bad.
    if (second === 14_446) values.s0 = 999;
    batch.push(factory.telemetry(MILL, values));
    if (second === 24_000) {
      batch.push({
        type: "gap" as const,
        machineId: MILL,
        timeMs: factory.clock.nowMs(),
        data: {
          cause: "overflow" as const,
          samples: 37,
          fromMs: 1,
          toMs: factory.clock.nowMs(),
          detail: "the disk was full",
        },
      });
    }
    if (second === 20_000) batch.push(factory.telemetry(MILL, { s1: null }, StatusCode.BadNotConnected));
    if (batch.length === 1_500) {
      await factory.append(...batch);
      batch = [];
    }
  }
  await factory.append(...batch);
  factory.shiftMs = 0;
  const { url } = await site.listening();
  const query = `signals=s0,s1&fromMs=${fromMs}&toMs=${fromMs + seconds * 1_000}&points=900`;
  const path = `${url}/api/machines/redmond/mill-07/trend?${query}`;
  // The first request of a process loads the client itself.
  await (await fetch(`${url}/api/machines/redmond/mill-07/trend?signals=s2&points=10`)).json();
  const order: string[] = [];
  let worstMs = 0;
  let previousMs = performance.now();
  const ticker = setInterval(() => {
    worstMs = Math.max(worstMs, performance.now() - previousMs);
    previousMs = performance.now();
  }, 1);
  const startedMs = performance.now();
  const trend = fetch(path).then(async (response) => {
    const answer = await response.json();
    order.push("trend");
    return answer;
  });
  const health = fetch(`${url}/api/health`).then(() => order.push("health"));
  const [answer] = await Promise.all([trend, health]);
  clearInterval(ticker);
  console.log(
    `8 h trend of 14,400 events with 20 signals: ${Math.round(performance.now() - startedMs)} ms, event loop held at most ${worstMs.toFixed(1)} ms`,
  );
  // A request that comes after does not wait for the end of the long read.
  expect(order).toEqual(["health", "trend"]);
  const [first, second] = answer.signals as { name: string; timesMs: number[]; values: (number | null)[] }[];
  expect(first?.timesMs.length).toBeGreaterThan(500);
  expect(first?.timesMs.length).toBeLessThanOrEqual(900);
  expect(Math.max(...(first?.values ?? []).map(Number))).toBe(999);
  expect(first?.timesMs.every((timeMs, index, all) => index === 0 || timeMs >= (all[index - 1] as number))).toBe(true);
  expect(second?.values).toContain(null);
  expect(second?.values).not.toContain(0);
  // The first signal breaks once, where samples were lost; the second breaks there and where it was Bad.
  const breaks = (values: readonly (number | null)[] | undefined) => values?.filter((value) => value === null).length;
  expect([breaks(first?.values), breaks(second?.values)]).toEqual([1, 2]);
  expect(await (await fetch(`${url}/api/machines/redmond/mill-07`)).json()).toMatchObject({
    lastGap: { samples: 37, detail: "the disk was full" },
  });
  const refusals = [
    ["signals=s0,s1,s2,s3,s4,s5,s6,s7,s8", 400],
    ["signals=nothere", 404],
    ["signals=s0&points=2001", 400],
    ["signals=s0&fromMs=5&toMs=4", 400],
    ["signals=s0&fromMs=NaN", 400],
  ] as const;
  for (const [wrong, status] of refusals) {
    const refused = await fetch(`${url}/api/machines/redmond/mill-07/trend?${wrong}`);
    expect([wrong, refused.status]).toEqual([wrong, status]);
    expect((await refused.json()).error.message).toBeTypeOf("string");
  }
});

test("a subscribed signal's line begins with the value that it held, unless its link was down or it was Bad since", async () => {
  const names = ["steady", "changing", "broken", "asked"];
  const at = (agoMs: number) => {
    factory.shiftMs = -agoMs;
  };
  at(900_000);
  await factory.append(
    factory.machine(
      MILL,
      names.map((name) => ({ name, mode: name === "asked" ? ("poll" as const) : ("subscribe" as const) })),
    ),
    factory.connection([MILL]),
    factory.telemetry(MILL, { steady: 1, changing: 2, broken: 3, asked: 4 }),
    factory.machine(PRESS, [{ name: "force", mode: "subscribe" }], "line-b"),
    factory.connection([PRESS], { connectionId: "line-b" }),
    factory.telemetry(PRESS, { force: 5 }),
  );
  at(800_000);
  await factory.append(
    factory.telemetry(MILL, { broken: null }, StatusCode.BadSensorFailure),
    factory.connection([PRESS], { connectionId: "line-b", state: "disconnected" }),
  );
  at(100_000);
  await factory.append(factory.telemetry(MILL, { changing: 7 }), factory.telemetry(PRESS, { force: 6 }));
  factory.shiftMs = 0;
  const toMs = factory.clock.nowMs();
  const app = site.dashboard();
  const lines = async (machineId: string, signals: string) => {
    const query = `signals=${signals}&fromMs=${toMs - 300_000}&toMs=${toMs}`;
    const trend: Trend = (await app.inject(`/api/machines/${machineId}/trend?${query}`)).json();
    return trend.signals.map(({ timesMs, values }) =>
      values.map((value, index) => [Math.round((toMs - (timesMs[index] ?? 0)) / 1_000), value]),
    );
  };
  expect(await lines(MILL, names.join(","))).toEqual([
    [[300, 1]],
    [
      [300, 2],
      [100, 7],
    ],
    [],
    [],
  ]);
  expect(await lines(PRESS, "force")).toEqual([[[100, 6]]]);
});
