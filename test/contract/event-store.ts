import { afterAll, beforeAll, describe } from "vitest";
import { testEnd } from "./event-store/end.ts";
import { testFeed } from "./event-store/feed.ts";
import { testReading } from "./event-store/reading.ts";
import { type OpenedStore, StoreInTest } from "./event-store/store-in-test.ts";
import { testWriting } from "./event-store/writing.ts";

/**
 * What event-store.ts promises, as tests. Streams of different tests differ, so one store serves them all.
 * @param open makes what is missing (ensure) and gives an empty store
 */
export function eventStoreContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`event store: ${name}`, () => {
    let opened: OpenedStore;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened[Symbol.asyncDispose]());
    const store = new StoreInTest(() => opened);
    describe("writing", () => testWriting(store));
    describe("reading", () => testReading(store));
    describe("the feed", () => testFeed(store));
    describe("its end", () => testEnd(store));
  });
}
