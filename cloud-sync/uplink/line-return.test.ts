import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { openLog } from "../../edge/log/log.ts";
import { noiseOf } from "../../test/support/events.ts";
import { keyConfig, logger, testLink } from "../../test/support/link-harness.ts";
import { runHub } from "../../test/support/running-hub.ts";
import { type ProxyMode, TcpProxy } from "../../test/support/tcp-proxy.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import { FRAME_CONTENT_TYPE } from "../contract/frame/frame.ts";
import { decodeMessage } from "../contract/frame/message.ts";
import { openUplinkState } from "./state/uplink-state.ts";
import { Uplink } from "./uplink.ts";

// Goal: an alarm of an outage, and readings as fresh as ever, are at the hub within five seconds of the line's return, however
// the line was away and whatever the machine believes of its old connections.
// Method: the real SDK and the real hub, a relay between them that fails in each way, for longer than TCP's first patience.

const OUTAGE_MS = 9_000;
const WITHIN_MS = 5_000;
const APART_MS = 1_500;

const WAYS: readonly [what: string, mode: ProxyMode, leavesOrphans: boolean][] = [
  ["connections are reset and refused", "reset", false],
  ["connections vanish without a word, old ones for ever", "blackhole", true],
  ["connections vanish, and are reset when the line is back", "blackhole", false],
  ["answers vanish without a word, of old connections for ever", "deaf", true],
  ["the line stands still, and goes on", "freeze", false],
];

test("P11 P01 after an outage the office sees what is new within five seconds", { timeout: 40_000 }, async () => {
  // Side by side, for they wait most of the time; one after the other where they work.
  const late = await Promise.all(
    WAYS.map(async ([what, ...way], at) => {
      await delay(at * APART_MS);
      return (await isInTime(...way)) ? "" : what;
    }),
  );
  expect(late.filter((what) => what !== "")).toEqual([]);
});

async function isInTime(mode: ProxyMode, leavesOrphans: boolean): Promise<boolean> {
  const running = await runHub();
  await using line = await new TcpProxy(running.mqtt.port).listen();
  line.leavesOrphans = leavesOrphans;
  const config = keyConfig(running, { port: line.port, more: { latencyMs: 500 } });
  const folder = tempFolder();
  const log = openLog({ path: join(folder, "log.db"), clock: systemClock });
  using state = openUplinkState(join(folder, "uplink.db"), logger);
  const { connector } = testLink(config);
  const uplink = new Uplink({ log, state, connector, config, site: "redmond", clock: systemClock, logger });
  const stop = new AbortController();
  const working = uplink.run(stop.signal, () => undefined);
  const produce = setInterval(() => void log.append(noiseOf("redmond/mill-01", 1, 5, Date.now())), 100);
  try {
    await until("the first messages", () => arrivals(running) > 4);
    line.mode = mode;
    await delay(OUTAGE_MS / 2);
    await log.append([{ type: "alarm", machineId: "redmond/mill-01", timeMs: Date.now(), data: { text: "spindle" } }]);
    await delay(OUTAGE_MS / 2);
    const before = log.head();
    line.mode = "pass";
    const mendedMs = performance.now();
    await until("the alarm", () => hasArrived(running, ({ type }) => type === "alarm"));
    await until("fresh readings", () => hasArrived(running, ({ offset }) => offset > before));
    return performance.now() - mendedMs < WITHIN_MS;
  } finally {
    clearInterval(produce);
    stop.abort();
    await working;
    log.close();
  }
}

type Running = Awaited<ReturnType<typeof runHub>>;

function arrivals({ hub: { events } }: Running): number {
  let count = 0;
  for (let partition = 0; partition < events.partitions; partition++)
    count += events.info(partition).lastSequenceNumber + 1;
  return count;
}

function hasArrived({ hub: { events } }: Running, isIt: (event: { type: string; offset: number }) => boolean): boolean {
  for (let partition = 0; partition < events.partitions; partition++) {
    for (const { body, system } of events.read(partition, 0, { events: 10_000, bytes: 1 << 30 })) {
      const message = decodeMessage({ contentType: system.contentType ?? FRAME_CONTENT_TYPE, body });
      if (message.events.some(isIt)) return true;
      if (message.blocks.some(({ block }) => block.events().some(isIt))) return true;
    }
  }
  return false;
}
