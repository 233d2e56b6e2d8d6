import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import type { NewDocument } from "../../../cloud-sync/store/event-store.ts";
import { fresh, NEVER, note, type StoreInTest } from "./store-in-test.ts";

/** How it ends, and begins again. */
export function testEnd(t: StoreInTest): void {
  test("every method ends with the signal's reason", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    const partition = fresh();
    const operations = [{ op: "create" as const, document: note("a") }];
    const range = (await t.store.feedRanges("telemetry", NEVER))[0] as string;
    await expect(t.store.ensure(signal)).rejects.toBe(reason);
    await expect(t.store.commit("telemetry", [{ partition, operations }], signal)).rejects.toBe(reason);
    await expect(t.store.get("telemetry", [{ partition, id: "a" }], signal)).rejects.toBe(reason);
    await expect(t.store.range("telemetry", partition, { limit: 1 }, signal)).rejects.toBe(reason);
    await expect(t.store.feedRanges("telemetry", signal)).rejects.toBe(reason);
    await expect(t.store.changes("telemetry", range, undefined, 1, signal)).rejects.toBe(reason);
    expect(await t.read(partition, "a")).toBeUndefined();
  });

  test("also when it comes in the middle of the work; a transaction then is there whole or not at all", async () => {
    const partition = fresh();
    const document = (id: string): NewDocument => ({ ...note(id), body: Buffer.alloc(400_000, 5) });
    const operations = ["a", "b", "c"].map((id) => ({ op: "create" as const, document: document(id) }));
    const abort = new AbortController();
    const committed = t.store.commit("telemetry", [{ partition, operations }], abort.signal);
    const reason = new Error("enough");
    abort.abort(reason);
    await expect(committed).rejects.toBe(reason);
    await delay(200);
    expect([0, 3]).toContain((await t.idsOf(partition)).length);
    expect((await t.create(fresh(), note("a"))).status).toBe("done");
  });

  test("ensure may be called again, by several at once, and takes nothing away", async () => {
    const partition = fresh();
    await t.create(partition, note("a"));
    const other = await t.opened.reopen();
    await Promise.all([t.store.ensure(NEVER), other.ensure(NEVER), t.store.ensure(NEVER)]);
    expect(await t.idsOf(partition)).toEqual(["a"]);
    await other[Symbol.asyncDispose]();
  });

  test("charges grow with use, or stay nothing", async () => {
    const before = t.store.charges();
    await t.create(fresh(), note("a"));
    const after = t.store.charges();
    expect(after.writeUnits).toBeGreaterThanOrEqual(before.writeUnits);
    expect(Number.isFinite(after.readUnits + after.feedUnits + after.throttled)).toBe(true);
  });
}
