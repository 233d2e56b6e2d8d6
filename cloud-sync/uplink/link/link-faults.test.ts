import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../edge/kernel/free-port.ts";
import { DEVICE, keyConfig, outgoing, type TestLink, testLink } from "../../../test/support/link-harness.ts";
import { eventsOf, runHub } from "../../../test/support/running-hub.ts";
import { TcpProxy } from "../../../test/support/tcp-proxy.ts";
import { until } from "../../../test/support/until.ts";

// Goal: each fault of a line and of a hub that runs is told as what it is, and the same connector is well again when the fault is over.

async function proxied(): Promise<{ running: Awaited<ReturnType<typeof runHub>>; proxy: TcpProxy; link: TestLink }> {
  const running = await runHub();
  const proxy = await new TcpProxy(running.mqtt.port).listen();
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const link = testLink(keyConfig(running, { port: proxy.port }), { keepaliveS: 1, connectMsMax: 1_000 });
  return { running, proxy, link };
}

describe("the line", () => {
  test.each([
    ["reset", /was cut \(ECONNRESET\) after [\d.]+ s$/],
    ["corrupt", /(was cut \((ERR_SSL|EPROTO|ECONNRESET)\w*\)|The hub closed the connection) after/],
    ["blackhole", /does not answer any more; the connection was given up after/],
    ["freeze", /does not answer any more; the connection was given up after/],
  ] as const)(
    "%s: lost within seconds with its sentence; all that waits is rejected; well again after it",
    async (mode, sentence) => {
      const { running, proxy, link } = await proxied();
      const session = await link.open();
      await session.send(outgoing("before"));
      proxy.mode = mode;
      const waiting = session.send(outgoing("during"));
      const rejected = expect(waiting).rejects.toMatchObject({ code: "UPLINK_LOST" });
      const lost = await session.lost;
      await rejected;
      expect(lost).toMatchObject({ code: "UPLINK_LOST", retry: "reconnect", message: expect.stringMatching(sentence) });
      await expect(session.send(outgoing("after"))).rejects.toBe(lost);
      await expect(session.report({ a: 1 })).rejects.toBe(lost);
      await session[Symbol.asyncDispose]();
      if (mode !== "corrupt") {
        const error = await link.fail();
        expect(error).toMatchObject({ code: "UPLINK_UNREACHABLE", retry: "backoff" });
        expect(error.message).toMatch(
          mode === "reset"
            ? /cut during the TLS handshake \(ECONNRESET\)|connection broke before/
            : /the TLS handshake gets no answer/,
        );
      }
      proxy.mode = "pass";
      await (await link.open()).send(outgoing("again"));
      const bodies = eventsOf(running.hub).map(({ body }) => String(body));
      expect(bodies[0]).toBe("before");
      expect(bodies.at(-1)).toBe("again");
    },
  );

  test("P09 a message for which the SDK never calls back is rejected all the same when the session is closed", async () => {
    const { proxy, link } = await proxied();
    const session = await link.open();
    proxy.mode = "blackhole";
    const waiting = Promise.allSettled(Array.from({ length: 20 }, (_, i) => session.send(outgoing(`n${i}`))));
    await session[Symbol.asyncDispose]();
    for (const result of await waiting)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "UPLINK_LOST" } });
    expect((await session.lost).message).toContain("closed by this box");
  });

  test("P26 a hub that is down at the first start is waited for: refused, then well", async () => {
    const port = await freePort();
    const running = await runHub();
    const link = testLink(keyConfig(running, { port }));
    for (let i = 0; i < 2; i++) {
      const error = await link.fail();
      expect(error).toMatchObject({
        code: "UPLINK_UNREACHABLE",
        message: `Nobody takes connections at localhost:${port} (refused)`,
      });
      expect(error.hint).toContain("no hub listens on this port");
    }
    const { folder } = running;
    await running.stop();
    const later = await runHub({ folder, mqtt: { port } });
    await (await link.open()).send(outgoing("at last"));
    expect(eventsOf(later.hub)).toMatchObject([{ body: Buffer.from("at last") }]);
  });

  test("a name that nobody knows", async () => {
    const running = await runHub();
    const error = await testLink(keyConfig(running, { host: "hub.invalid" })).fail();
    expect(error).toMatchObject({
      code: "UPLINK_UNREACHABLE",
      message: expect.stringContaining("hub.invalid, was not found"),
    });
    expect(error.hint).toContain("DNS");
  });
});

describe("the hub", () => {
  test("disabled while connected: lost, then refused with the reason to look for, then well", async () => {
    const running = await runHub();
    const link = testLink(keyConfig(running));
    const session = await link.open();
    running.hub.registry.update({ deviceId: DEVICE }, { status: "disabled" });
    expect(await session.lost).toMatchObject({
      code: "UPLINK_LOST",
      message: expect.stringContaining("The hub closed the connection"),
    });
    const error = await link.fail();
    expect(error).toMatchObject({
      code: "UPLINK_IDENTITY",
      retry: "backoff",
      message: `The hub does not let this box in: localhost as device ${DEVICE} (key)`,
    });
    expect(error.hint).toMatch(/is it enabled, is its key/);
    running.hub.registry.update({ deviceId: DEVICE }, { status: "enabled" });
    await (await link.open()).send(outgoing("again"));
  });

  test("disabled, removed or with another key while the box was away", async () => {
    const running = await runHub();
    const config = keyConfig(running);
    const link = testLink(config);
    running.hub.registry.update({ deviceId: DEVICE }, { status: "disabled" });
    expect((await link.fail()).code).toBe("UPLINK_IDENTITY");
    running.hub.registry.remove({ deviceId: DEVICE });
    expect((await link.fail()).code).toBe("UPLINK_IDENTITY");
    running.hub.registry.create({ deviceId: DEVICE }, {});
    expect((await link.fail()).code).toBe("UPLINK_IDENTITY");
    await testLink(keyConfig(running)).open();
  });

  test("another box with the same identity: said after the third loss, to both", async () => {
    const running = await runHub();
    const config = keyConfig(running);
    const [ours, theirs] = [testLink(config), testLink(config)];
    let last: Awaited<Awaited<ReturnType<TestLink["open"]>>["lost"]> | undefined;
    let session = await ours.open();
    for (let i = 0; i < 3; i++) {
      const other = await theirs.open();
      last = await session.lost;
      session = await ours.open();
      await other.lost;
    }
    expect(last).toMatchObject({
      code: "UPLINK_LOST",
      message: expect.stringMatching(/3 times in a row soon after it was opened/),
    });
    expect(last?.hint).toContain("another box or program uses the same identity");
    await session.send(outgoing("the newest works"));
  });

  test("throttled: acknowledgements come slower, none is lost", async () => {
    const running = await runHub({ limits: { edition: "S1", units: 1 } });
    const session = await testLink(keyConfig(running)).open();
    const startMs = performance.now();
    await Promise.all(Array.from({ length: 160 }, (_, i) => session.send(outgoing(`n${i}`))));
    expect(performance.now() - startMs).toBeGreaterThan(400);
    expect(eventsOf(running.hub)).toHaveLength(160);
  });

  test("messages of the day used up: the link closes at each message, and the third time it is said", async () => {
    const running = await runHub({ limits: { edition: "S1", units: 1 } });
    running.hub.meter.admit({ deviceId: "another" }, 400_000 * 4_096);
    const link = testLink(keyConfig(running));
    let hint: string | undefined;
    for (let i = 0; i < 3; i++) {
      const session = await link.open();
      await expect(session.send(outgoing("too much"))).rejects.toMatchObject({ code: "UPLINK_LOST" });
      hint = (await session.lost).hint;
    }
    expect(hint).toMatch(/throttled.*used up.*same identity/);
  });

  test("a token is renewed under load: no message is lost, and the session goes on beyond the old token's end", async () => {
    const running = await runHub();
    const link = testLink(keyConfig(running), { token: { lifeS: 3, marginS: 1 } });
    const session = await link.open();
    let isLost = false;
    void session.lost.then(() => {
      isLost = true;
    });
    const sent: string[] = [];
    const untilMs = performance.now() + 4_500;
    while (performance.now() < untilMs) {
      const bodies = Array.from({ length: 10 }, (_, i) => `n${sent.length + i}`);
      await Promise.all(bodies.map((body) => session.send(outgoing(body))));
      sent.push(...bodies);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(isLost).toBe(false);
    const arrived = new Set(eventsOf(running.hub).map(({ body }) => String(body)));
    expect(sent.filter((body) => !arrived.has(body))).toEqual([]);
    expect(sent.length).toBeGreaterThan(200);
    await running.hub.commands.enqueue({
      deviceId: DEVICE,
      body: Buffer.from('{"method":"ping"}'),
      properties: {},
      system: { messageId: "after" },
      ack: "none",
    });
    await until("messages come after the renewal, too", () => link.requests.commands.length === 1);
  });
});

test("a session that is lost while it still asks for its twin does not come back to life beside the next one", async () => {
  const { running, proxy, link } = await proxied();
  let connections = 0;
  const attach = running.hub.links.attach.bind(running.hub.links);
  running.hub.links.attach = (each) => {
    connections++;
    return attach(each);
  };
  const sessions = 15;
  for (let i = 0; i < sessions; i++) {
    proxy.mode = "pass";
    const session = await link.open();
    // At different moments of the requests that follow the opening.
    await new Promise((resolve) => setTimeout(resolve, i));
    proxy.mode = "reset";
    await session.lost;
    proxy.mode = "pass";
    await session[Symbol.asyncDispose]();
  }
  await (await link.open()).send(outgoing("the last is the only one"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(connections).toBe(sessions + 1);
});
