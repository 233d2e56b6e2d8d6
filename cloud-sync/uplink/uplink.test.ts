import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { type UplinkBench, uplinkBench } from "../../test/support/uplink-bench.ts";
import { wantDeadLettersAgain } from "./state/state-reader.ts";

const RATE = 20_000;

test("what is appended arrives within the latency, several machines in one message", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.clock.advance(1_000);
  await bench.round();
  await bench.clock.advance(2_000);
  const { events } = bench.hub.received();
  const sent = bench.log.readAfter(0, { limitEvents: 1_000 });
  expect(
    sent.every((event) => isDeepStrictEqual(events.get(`${event.epoch}/${event.machineId}/${event.seq}`), event)),
  ).toBe(true);
  const telemetry = bench.hub.arrived.filter(({ message }) => message.lane === "telemetry");
  expect(telemetry.some(({ events: mine }) => new Set(mine.map(({ machineId }) => machineId)).size >= 3)).toBe(true);
  await bench.until("drained", () => bench.isDrained);
});

test("P01 a backlog goes on by itself seconds after the line returns, also after a hub that fell silent", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(3);
  bench.hub.cut();
  await bench.round(60);
  bench.seal();
  await bench.round(5);
  bench.hub.isUp = true;
  const backMs = bench.clock.nowMs();
  await bench.until("data", () => (bench.hub.arrived.at(-1)?.atMs ?? 0) >= backMs, 5_000);
  await bench.until("drained", () => bench.isDrained);
  bench.hub.isFrozen = true;
  await bench.round(30);
  const { connects } = bench.hub;
  bench.hub.isFrozen = false;
  await bench.until("drained", () => bench.isDrained, 60_000);
  expect(bench.hub.connects).toBeLessThanOrEqual(connects + 2);
  expect(bench.uplink.status().lastError?.code).toBe("UPLINK_LOST");
});

test("P08 a restart or a lost line sends again what was not acknowledged, by the same id, and nothing else", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(10);
  await bench.until("drained", () => bench.isDrained);
  await bench.stop();
  const before = bench.hub.arrived.length;
  bench.start();
  await bench.clock.advance(5_000);
  await bench.until("drained", () => bench.isDrained);
  const again = bench.hub.arrived.slice(before).flatMap(({ events }) => events);
  // The connection event of the restart, in both lanes.
  expect(again.every(({ type }) => type === "connection")).toBe(true);
  let losses = 0;
  bench.hub.treat = ({ lane }) => (lane === "telemetry" && losses++ < 1 ? "ack-lost" : "ack");
  await bench.round(5);
  await bench.until("drained", () => bench.isDrained);
  const ids = bench.hub.messages.map(({ id }) => id);
  expect(ids.length - new Set(ids).size).toBe(1);
});

test("P09 a message that vanishes without a word is sent again, and the cursor has not passed it", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(3);
  await bench.until("drained", () => bench.isDrained);
  let vanished = "";
  bench.hub.treat = ({ id, lane }) => {
    if (lane !== "telemetry" || (vanished !== "" && vanished !== id)) return "ack";
    if (vanished === id) return "ack";
    vanished = id;
    return "silent";
  };
  const offset = bench.uplink.status().lanes.telemetry.offset;
  await bench.round(30);
  expect(vanished).not.toBe("");
  expect(bench.hub.messages.some(({ id }) => id === vanished)).toBe(false);
  expect(bench.log.cursor("uplink.telemetry")).toBe(offset);
  await bench.until("drained", () => bench.isDrained);
  expect(bench.hub.messages.some(({ id }) => id === vanished)).toBe(true);
});

test("P10 a message that kills the line is set aside and told, and can be sent again; the rest goes on", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(3);
  const poison = (events: readonly { timeMs: number; type: string }[]): boolean =>
    events.some(({ type, timeMs }) => type === "telemetry" && timeMs === poisonMs);
  let poisonMs = bench.clock.nowMs() + 1_000;
  bench.hub.treat = (_, events) => (poison(events) ? "lost" : "ack");
  await bench.round(20);
  await bench.until("set aside", () => bench.state.deadLetterCount() === 1, 600_000);
  await bench.until("drained", () => bench.isDrained);
  const [letter] = bench.state.deadLetters();
  expect(letter).toMatchObject({ lane: "telemetry", code: "UPLINK_REFUSED" });
  expect(letter?.contents.some((content) => content.startsWith("redmond/mill-01"))).toBe(true);
  const told = bench.log
    .readAfter(0, { limitEvents: 9_000, types: ["alarm"] })
    .filter(({ data }) => "deadLetter" in data);
  expect(told.length).toBe(1);
  // Once the hub takes it, people can have it sent again.
  poisonMs = 0;
  bench.hub.treat = () => "ack";
  expect(wantDeadLettersAgain(bench.state.path, "all")).toBe(1);
  await bench.until("sent again", () => bench.state.deadLetterCount() === 0);
  expect(missing(bench)).toEqual([]);
});

test("P10 a message that the hub refuses is set aside at once, also when it is of both lanes", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(5);
  bench.hub.treat = (_, events) => (events.some(({ type }) => type === "alarm") ? "refused" : "ack");
  await bench.round(4);
  await bench.until("drained", () => bench.isDrained);
  const letters = bench.state.deadLetters();
  expect(new Set(letters.map(({ lane }) => lane))).toEqual(new Set(["priority", "telemetry"]));
  expect(letters.every(({ reason, bytes }) => reason === "not in this life" && bytes > 0)).toBe(true);
  // The alarm about a dead letter is refused as well, and begets no further one.
  expect(letters.length).toBeLessThanOrEqual(4);
  bench.hub.treat = () => "ack";
  await bench.round(70, 1_000);
  await bench.until("drained", () => bench.isDrained);
  expect(bench.state.deadLetterCount()).toBe(letters.length);
});

test("P10 a dead letter that is sent again outlives a log that is replaced meanwhile", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(5);
  bench.hub.treat = (_, events) => (events.some(({ type }) => type === "alarm") ? "refused" : "ack");
  await bench.round(4);
  await bench.until("drained", () => bench.isDrained);
  const [letter] = bench.state.deadLetters();
  bench.hub.treat = ({ id }) => (id === letter?.messageId ? "silent" : "ack");
  wantDeadLettersAgain(bench.state.path, [letter?.id ?? 0]);
  await bench.round(4);
  bench.log.beginEpoch("test");
  await bench.round(4);
  bench.hub.treat = () => "ack";
  await bench.until("the letter", () => bench.hub.messages.some(({ id }) => id === letter?.messageId), 120_000);
  await bench.until("it is gone", () => bench.state.deadLetters().every(({ id }) => id !== letter?.id));
});

test("P11 what is new arrives within seconds while a backlog drains behind it", async () => {
  const bench = uplinkBench(tempFolder(), { bytesPerSecondMax: RATE });
  await fillBacklog(bench);
  bench.start();
  await bench.clock.advance(3_000);
  const lags: number[] = [];
  for (let i = 0; i < 20; i++) {
    await bench.round(1);
    const timeMs = bench.clock.nowMs();
    await bench.until("the new event", () => arrivedAt(bench, timeMs) !== undefined, 10_000);
    lags.push((arrivedAt(bench, timeMs) ?? 0) - timeMs);
  }
  expect(bench.isDrained).toBe(false);
  expect(Math.max(...lags)).toBeLessThanOrEqual(4_000);
  await bench.until("drained", () => bench.isDrained, 3_600_000);
  expect(missing(bench)).toEqual([]);
});

test("P12 catching up takes no more of the line than it is given", async () => {
  const bench = uplinkBench(tempFolder(), { bytesPerSecondMax: RATE });
  await fillBacklog(bench);
  bench.start();
  const startMs = bench.clock.nowMs();
  await bench.clock.advance(20_000);
  const bytesIn = (): number =>
    bench.hub.arrived
      .filter(({ message, atMs }) => message.lane === "telemetry" && atMs >= startMs)
      .reduce((sum, { message }) => sum + message.body.length, 0);
  expect(bytesIn()).toBeGreaterThan(RATE * 10);
  expect(bytesIn()).toBeLessThan(RATE * 23);
  expect(Math.max(...bench.hub.messages.map(({ body }) => body.length))).toBeLessThanOrEqual(RATE * 3);
  bench.uplink.setRate(null);
  await bench.until("drained", () => bench.isDrained, 10_000);
});

test("after a long outage the newest state comes before the backlog of the priority lane", async () => {
  const bench = uplinkBench(tempFolder(), {}, { newestFirstEvents: 10 });
  await bench.round(60, 1);
  bench.start();
  await bench.until("drained", () => bench.isDrained);
  const rounds = bench.hub.arrived
    .filter(({ message }) => message.lane === "priority")
    .flatMap(({ events }) => events.map(({ data }) => (data as { round?: number }).round));
  expect(rounds.indexOf(60)).toBeLessThan(12);
  expect(rounds.filter((round) => round === 60).length).toBe(1);
  expect(new Set(rounds.filter((round) => round !== undefined)).size).toBe(60);
});

test("a refused identity is tried again more and more seldom, and said once", async () => {
  const bench = uplinkBench(tempFolder());
  const startMs = bench.clock.nowMs();
  bench.hub.refusesToConnect = new EdgeError("UPLINK_IDENTITY", "Unauthorized", { hint: "Check the key." });
  bench.start();
  await bench.clock.advance(600_000);
  expect(bench.hub.connects).toBeGreaterThan(10);
  expect(bench.hub.connects).toBeLessThan(40);
  expect(bench.uplink.status()).toMatchObject({
    state: "refused",
    sinceMs: startMs,
    lastError: { code: "UPLINK_IDENTITY", hint: "Check the key." },
  });
  bench.hub.refusesToConnect = undefined;
  await bench.until("connected", () => bench.uplink.status().state === "connected", 60_000);
  const told = bench.log.readAfter(0, { limitEvents: 100, types: ["connection"] });
  expect(told.map(({ data }) => (data as { state: string }).state)).toEqual(["disconnected", "connected"]);
});

test("a range that is asked for is sent again", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(20);
  bench.seal();
  await bench.until("drained", () => bench.isDrained);
  const before = bench.hub.arrived.length;
  expect(bench.uplink.resend("redmond/mill-01", 3, 9)).toBe(true);
  await bench.until("sent", () => bench.state.nextResend() === undefined);
  const again = bench.hub.arrived
    .slice(before)
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === "telemetry" || type === "alarm");
  expect(again.map(({ machineId, seq }) => `${machineId} ${seq}`)).toEqual(
    [3, 4, 5, 6, 7, 8, 9].map((seq) => `redmond/mill-01 ${seq}`),
  );
});

test("while the hub throttles, less is sent, and more again when it does not", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(2);
  let tries = 0;
  bench.hub.treat = ({ lane }) => {
    if (lane === "telemetry") tries++;
    return lane === "telemetry" ? "throttled" : "ack";
  };
  await bench.round(30);
  expect(tries).toBeLessThan(120);
  bench.hub.treat = () => "ack";
  await bench.until("drained", () => bench.isDrained);
  expect(missing(bench)).toEqual([]);
});

/** Runs an uplink through ten rounds in which the log takes no cursor, and on until all has arrived. */
async function withoutCursors(refusal: EdgeError): Promise<UplinkBench> {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(5);
  const save = bench.log.saveCursor.bind(bench.log);
  bench.log.saveCursor = () => {
    throw refusal;
  };
  await bench.round(10);
  const before = bench.log.cursor("uplink.telemetry");
  bench.log.saveCursor = save;
  await bench.round(3);
  await bench.until("drained", () => bench.isDrained);
  expect(bench.log.cursor("uplink.telemetry")).toBeGreaterThan(before);
  expect(missing(bench)).toEqual([]);
  return bench;
}

test("P06 a full disk that takes no cursor costs nothing while the uplink runs: nothing goes twice, and it follows later", async () => {
  const bench = await withoutCursors(new EdgeError("LOG_FULL", "the disk is full"));
  const ids = bench.hub.messages.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a log that refuses to note what was acknowledged costs duplicates, and nothing else", async () => {
  await withoutCursors(new EdgeError("LOG_UNAVAILABLE", "the disk is gone"));
});

test("a hub whose day is used up is left alone until midnight", async () => {
  const bench = uplinkBench(tempFolder());
  bench.start();
  await bench.round(2);
  bench.hub.refusesToConnect = new EdgeError("UPLINK_QUOTA", "quota exceeded", { hint: "Buy units." });
  bench.hub.dropSession();
  await bench.round(5);
  const { connects } = bench.hub;
  bench.hub.refusesToConnect = undefined;
  const untilMidnightMs = 86_400_000 - (bench.clock.nowMs() % 86_400_000);
  await bench.clock.advance(untilMidnightMs - 60_000);
  expect([bench.hub.connects, bench.uplink.status().state]).toEqual([connects, "refused"]);
  await bench.clock.advance(121_000);
  await bench.until("drained", () => bench.isDrained);
  expect(missing(bench)).toEqual([]);
});

test("a day's units are not passed, what happens goes on, and at midnight the rest follows", async () => {
  const bench = uplinkBench(tempFolder(), { unitsPerDayMax: 120, latencyMs: 1_000, latencyMsMax: 2_000 });
  const untilMidnightMs = 86_400_000 - (bench.clock.nowMs() % 86_400_000);
  await bench.clock.advance(untilMidnightMs - 600_000);
  bench.start();
  await bench.round(300, 50);
  await bench.clock.advance(2_000);
  const { telemetry } = bench.state.traffic(bench.clock.nowMs());
  expect(telemetry.units).toBeGreaterThan(60);
  expect(telemetry.units).toBeLessThanOrEqual(120);
  expect(bench.isDrained).toBe(false);
  const rounds = bench.hub.arrived.flatMap(({ events }) =>
    events.map(({ data }) => (data as { round?: number }).round),
  );
  expect(rounds).toContain(300);
  await bench.clock.advance(298_000);
  await bench.until("drained", () => bench.isDrained);
  expect(missing(bench)).toEqual([]);
});

type Bench = ReturnType<typeof uplinkBench>;

async function fillBacklog(bench: Bench): Promise<void> {
  const { noiseOf } = await import("../../test/support/events.ts");
  for (let i = 0; i < 24; i++) {
    await bench.clock.advance(60_000);
    await bench.log.append(noiseOf(`redmond/saw-${i}`, 60, 100, bench.clock.nowMs()), "now");
    bench.seal();
  }
}

function arrivedAt(bench: Bench, timeMs: number): number | undefined {
  return bench.hub.arrived.find(({ events }) => events.some((e) => e.type === "telemetry" && e.timeMs === timeMs))
    ?.atMs;
}

function missing(bench: Bench): string[] {
  const { events } = bench.hub.received();
  const lost: string[] = [];
  for (let offset = 0; ; ) {
    const read = bench.log.readAfter(offset, { limitEvents: 1_000 });
    if (read.length === 0) return lost;
    for (const { epoch, machineId, seq } of read) {
      if (!events.has(`${epoch}/${machineId}/${seq}`)) lost.push(`${machineId} ${seq}`);
    }
    offset = read.at(-1)?.offset ?? offset;
  }
}
