import { pino } from "pino";
import { expect, test } from "vitest";
import { UPLINK_COMMANDS } from "../../../edge/kernel/config/model.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import type { JsonObject, JsonValue } from "../../contract/event.ts";
import { type CommandActions, done } from "./command.ts";
import { CommandDispatcher } from "./dispatcher.ts";

const DEEP = JSON.parse(`${"[".repeat(30_000)}${"]".repeat(30_000)}`) as JsonValue;

function dispatching() {
  const records: JsonObject[] = [];
  const actions = Object.fromEntries(UPLINK_COMMANDS.map((name) => [name, (payload: JsonObject) => done({ payload })]));
  const dispatcher = new CommandDispatcher({
    allow: UPLINK_COMMANDS,
    actions: actions as CommandActions,
    record: async (data) => {
      records.push(data);
    },
    clock: new ManualClock(),
    logger: pino({ level: "silent" }),
  });
  return { dispatcher, records };
}

test("a payload nested by the thousand is refused and recorded, and what comes behind it is carried out", async () => {
  const { dispatcher, records } = dispatching();
  const message = { name: "ping", via: "message" } as const;
  const answers = await Promise.all([
    dispatcher.dispatch({ ...message, payload: { deep: DEEP }, messageId: "1" }),
    dispatcher.dispatch({ ...message, payload: DEEP, messageId: "2" }),
    dispatcher.dispatch({ ...message, name: "", payload: DEEP, messageId: "3" }),
    dispatcher.dispatch({ ...message, payload: { a: 1 }, messageId: "4" }),
    dispatcher.dispatch({ name: "ping", payload: DEEP, via: "method" }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 200, 400]);
  expect(records.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400]);
  expect(JSON.stringify(records)).toContain("nested deeper than 32 levels");
});

test("payloads of any shape get an answer and a record", async () => {
  const { dispatcher, records } = dispatching();
  const payloads: JsonValue[] = [null, "", "text", 7, true, [], [1], { __proto__: 1 }, "x".repeat(128 * 1024)];
  for (const payload of payloads) {
    const { status } = await dispatcher.dispatch({ name: "status", payload, via: "method" });
    expect([200, 400]).toContain(status);
  }
  expect(records).toHaveLength(payloads.length);
  expect(records.at(-1)).toMatchObject({ status: 400, payloadBytes: 128 * 1024 + 2 });
});
