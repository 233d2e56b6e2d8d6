import { expect } from "vitest";
import type { Container } from "../../../cloud-sync/store/event-store.ts";
import { followed } from "../feed-reader.ts";
import { freshName, NEVER, note, type OpenedStore } from "./store-in-test.ts";

/** Each writer has clients and streams of its own and one stream that all share; the reader follows until it has everything. */
export async function manyWriters(opened: OpenedStore, writers: number, documentsEach: number): Promise<void> {
  const container: Container = "telemetry";
  const run = freshName("run");
  const perCall = 20;
  const seen = new Map<string, number>();
  const last = new Map<string, number>();
  let reader = (await followed(opened.store, container)).reader;
  let isWriting = true;
  const write = async (writer: number): Promise<void> => {
    const client = await opened.reopen();
    for (let at = 0; at < documentsEach; at += perCall) {
      const transactions = Array.from({ length: perCall }, (_, i) => {
        const n = at + i;
        const stream = `${run}/${n % 2 === 0 ? `own-${writer}-${n % 10}` : "shared"}`;
        const document = note(`${writer}-${n}`, "", { fields: { n, writer } });
        return { partition: { stream, part: "" }, operations: [{ op: "create" as const, document }] };
      });
      const results = await client.commit(container, transactions, NEVER);
      expect(results.every(({ status }) => status === "done")).toBe(true);
    }
    await client[Symbol.asyncDispose]();
  };
  const follow = async (): Promise<void> => {
    for (let isLast = false; ; ) {
      const { documents, reader: next } = await followed(opened.store, container, reader, 100);
      reader = next;
      for (const { id, partition, fields } of documents) {
        if (!partition.stream.startsWith(`${run}/`)) continue;
        seen.set(id, (seen.get(id) ?? 0) + 1);
        const line = `${partition.stream} ${fields.writer}`;
        const before = last.get(line) ?? -1;
        // The calls of a writer come one behind the other; within a call the order is the store's to choose.
        expect(Math.floor((fields.n as number) / perCall)).toBeGreaterThanOrEqual(Math.floor(before / perCall));
        last.set(line, fields.n as number);
      }
      if (isLast) return;
      isLast = !isWriting;
    }
  };
  const following = follow();
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer))).finally(() => {
    isWriting = false;
  });
  await following;
  expect(seen.size).toBe(writers * documentsEach);
}
