import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EdgeError } from "../kernel/errors.ts";
import { DashboardComponent } from "./component.ts";
import type { FactoryLog } from "./testing/factory-log.ts";
import { SseReader } from "./testing/sse-reader.ts";
import { TestSite } from "./testing/test-site.ts";

let site: TestSite;
let factory: FactoryLog;

beforeEach(() => {
  site = new TestSite();
  factory = site.factory;
});
afterEach(() => site.close());

function component(host: string, port: number, logger = site.logger): DashboardComponent {
  return new DashboardComponent({
    log: factory.log,
    site: "redmond",
    clock: factory.clock,
    logger,
    webRoot: "/nowhere",
    host,
    port,
  });
}

// First of the file: Node tells a deprecation once in a process.
test("a start says where it is once, and nothing in it is deprecated", async () => {
  const lines: { level: number; msg: string }[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const warnings: Error[] = [];
  const hear = (warning: Error) => warnings.push(warning);
  process.on("warning", hear);
  const ending = new AbortController();
  const dashboard = component("127.0.0.1", 0, logger);
  let address: string | undefined;
  await dashboard.run(ending.signal, () => {
    address = dashboard.address;
    // A warning is told in a later turn of the event loop.
    setTimeout(() => ending.abort(), 50);
  });
  process.off("warning", hear);
  expect(lines).toMatchObject([{ level: 30, msg: "dashboard is open", address }]);
  expect(warnings).toEqual([]);
});

test("a port that is taken and a host that others can reach are refused with what to do", async () => {
  const { port } = await site.listening();
  const taken = await component("127.0.0.1", port)
    .run(new AbortController().signal, () => undefined)
    .catch((error) => error);
  expect(taken).toBeInstanceOf(EdgeError);
  expect(taken).toMatchObject({ code: "PORT_IN_USE" });
  expect(taken.hint).toContain("dashboard.port");
  const open = await component("0.0.0.0", 0)
    .run(new AbortController().signal, () => undefined)
    .catch((error) => error);
  expect(open).toMatchObject({ code: "CONFIG_INVALID" });
  expect(open.hint).toContain("127.0.0.1");
});

test("ends within a second while streams are open", async () => {
  const ending = new AbortController();
  const dashboardComponent = component("127.0.0.1", 0);
  let ended: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    ended = dashboardComponent.run(ending.signal, resolve);
    ended.catch(reject);
  });
  const streams = await Promise.all([1, 2, 3].map(() => SseReader.open(`${dashboardComponent.address}/api/stream`)));
  const startedMs = performance.now();
  ending.abort();
  await ended;
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  for (const stream of streams) await stream.until(() => stream.ended, "the end of the stream");
  expect(streams[0]?.messages.at(-1)).toMatchObject({
    event: "dropped",
    data: { reason: "the dashboard is stopping" },
  });
});
