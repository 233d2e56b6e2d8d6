import { expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import type { JsonObject } from "../../contract/event.ts";
import type { CommandAnswer, CommandRequest } from "../commands/command.ts";
import { DesiredWishes } from "./desired.ts";

const HASH = "ab".repeat(32);

function wishing() {
  const clock = new ManualClock();
  const at = { inPlace: "other", applied: false, status: 200 as CommandAnswer["status"] };
  const asked: CommandRequest[] = [];
  const wishes = new DesiredWishes({
    dispatch: async (request) => {
      asked.push(request);
      return { status: at.status, payload: { message: `status ${at.status}` } };
    },
    configSha256: async () => at.inPlace,
    wasApplied: () => at.applied,
    clock,
    changed: () => undefined,
  });
  const stop = new AbortController();
  const running = wishes.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const set = async (tailstock: JsonObject): Promise<void> => {
    wishes.set({ tailstock, $version: 1 });
    await clock.advance(0);
  };
  return { clock, at, asked, wishes, set };
}

const config = { url: "https://u:p@files/c.yaml?sig=secret", sha256: HASH.toUpperCase() };

test("a wish is carried out once, however often the twin is read; its result has no secret", async () => {
  const { asked, wishes, set } = wishing();
  await set({ config });
  await set({ config, rate: 5_000 });
  await set({ config, rate: 5_000, other: true });
  expect(asked).toEqual([
    { name: "applyConfig", payload: config, via: "twin" },
    { name: "setRate", payload: { bytesPerSecondMax: 5_000 }, via: "twin" },
  ]);
  expect(wishes.results).toEqual({
    config: { sha256: config.sha256, url: "https://…@files/c.yaml?…", status: 200, message: "status 200" },
    rate: { bytesPerSecondMax: 5_000, status: 200, message: "status 200" },
  });
  await set({ config });
  expect(asked.at(-1)).toEqual({ name: "setRate", payload: {}, via: "twin" });
  expect(wishes.results).not.toHaveProperty("rate");
});

test("what is in place is not fetched; what was in place before a technician's edit is left to them", async () => {
  const { at, asked, wishes, set } = wishing();
  at.inPlace = HASH;
  await set({ config });
  expect(wishes.results).toMatchObject({ config: { status: 200, message: "in place" } });
  const other = wishing();
  other.at.applied = true;
  await other.set({ config });
  expect(other.wishes.results).toMatchObject({
    config: { status: 409, message: expect.stringContaining("changed the file here") },
  });
  expect([...asked, ...other.asked]).toEqual([]);
});

test("a failure that may pass is tried again every ten minutes, a refusal not", async () => {
  const { at, asked, clock, wishes, set } = wishing();
  at.status = 500;
  await set({ config });
  await clock.advance(10 * 60_000);
  expect(asked).toHaveLength(2);
  at.status = 400;
  await clock.advance(10 * 60_000);
  await clock.advance(60 * 60_000);
  expect(asked).toHaveLength(3);
  expect(wishes.results).toMatchObject({ config: { status: 400 } });
});

test("models are wished for by name, at most twenty; nonsense is handed on to be refused", async () => {
  const { asked, wishes, set } = wishing();
  await set({
    models: [
      { name: "spindle", version: "2" },
      "nonsense",
      ...Array.from({ length: 30 }, (_, i) => ({ name: `m${i}`, version: "1" })),
    ],
  });
  expect(asked).toHaveLength(20);
  expect(asked[1]).toMatchObject({ name: "activateModel", payload: "nonsense" });
  expect(wishes.results).toMatchObject({ "model-spindle": { version: "2", status: 200 }, "model-": { status: 200 } });
});

test("of two wishes for one model the last holds; results stand under keys that a twin may have", async () => {
  const { clock, asked, wishes, set } = wishing();
  const models = [
    { name: "spindle wear.v2$", version: "1" },
    { name: "spindle wear.v2$", version: "2" },
  ];
  await set({ models });
  await clock.advance(3_600_000);
  expect(asked).toEqual([{ name: "activateModel", payload: models[1], via: "twin" }]);
  expect(wishes.results).toEqual({
    "model-spindle_wear_v2_": { name: "spindle wear.v2$", version: "2", status: 200, message: "status 200" },
  });
});
