import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../test/support/until.ts";
import { LineSwitch } from "./line-switch.ts";

/** A server that echoes, a line to it, and a way to speak through it. */
async function lineToEcho() {
  const server = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const line = new LineSwitch((server.address() as AddressInfo).port);
  await line.listen(0);
  onTestFinished(async () => {
    await line[Symbol.asyncDispose]();
    server.close();
  });
  return line;
}

interface Talker {
  readonly socket: Socket;
  heard(): string;
  isClosed(): boolean;
}

async function talkTo(line: LineSwitch): Promise<Talker> {
  const socket = connect(line.state.port, "127.0.0.1");
  let text = "";
  let closed = false;
  socket
    .on("error", () => undefined)
    .on("close", () => {
      closed = true;
    });
  socket.on("data", (bytes) => {
    text += bytes;
  });
  await once(socket, "connect");
  onTestFinished(() => void socket.destroy());
  return { socket, heard: () => text, isClosed: () => closed };
}

test("passes; cut, it resets what is there and refuses what comes; mended, it passes again on the same port", async () => {
  const line = await lineToEcho();
  const first = await talkTo(line);
  first.socket.write("one");
  await until("the echo", () => first.heard() === "one");
  expect(line.state).toMatchObject({ mode: "pass", connections: 1, untilMs: null });
  line.set("cut");
  await until("the reset", () => first.isClosed());
  await expect(talkTo(line)).rejects.toThrow("ECONNREFUSED");
  expect(line.state).toMatchObject({ mode: "cut", connections: 0 });
  line.set("pass");
  const third = await talkTo(line);
  third.socket.write("three");
  await until("the echo", () => third.heard() === "three");
});

test("frozen, connections stay and hear nothing, new ones too; what waited comes when it thaws, whole and in order", async () => {
  const line = await lineToEcho();
  const old = await talkTo(line);
  old.socket.write("a");
  await until("the echo", () => old.heard() === "a");
  line.set("freeze");
  old.socket.write("b".repeat(300_000));
  const fresh = await talkTo(line);
  fresh.socket.write("c");
  await delay(150);
  expect([old.heard(), fresh.heard(), old.isClosed(), fresh.isClosed()]).toEqual(["a", "", false, false]);
  line.set("pass");
  await until("what waited", () => old.heard() === `a${"b".repeat(300_000)}` && fresh.heard() === "c");
});

test("with a duration it mends itself, and a later order takes the earlier one's place", async () => {
  const line = await lineToEcho();
  line.set("cut", 60);
  expect(line.state.untilMs).toBeGreaterThan(Date.now());
  await until("the mending", () => line.state.mode === "pass");
  expect(line.state.untilMs).toBeNull();
  line.set("cut", 60);
  line.set("freeze");
  await delay(150);
  expect(line.state).toMatchObject({ mode: "freeze", untilMs: null });
});
