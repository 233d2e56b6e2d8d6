import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { EventStore, StoredDocument } from "../../cloud-sync/store/event-store.ts";
import { readTelemetryDocument } from "../../cloud-sync/store/read-telemetry.ts";

/** All documents of the container telemetry, as its feed gives them from the beginning; the newest version of each. */
export async function feedDocuments(store: EventStore): Promise<StoredDocument[]> {
  const { signal } = new AbortController();
  const documents: StoredDocument[] = [];
  for (const range of await store.feedRanges("telemetry", signal)) {
    let continuation: string | undefined;
    for (let hasMore = true; hasMore; ) {
      const page = await store.changes("telemetry", range, continuation, 500, signal);
      documents.push(...page.documents);
      ({ continuation, hasMore } = page);
    }
  }
  return documents;
}

/** Events that count, of all documents: one that is in two of them stands here twice. */
export async function feedEvents(store: EventStore): Promise<StoredEvent[]> {
  return (await feedDocuments(store)).flatMap((document) => [...readTelemetryDocument(document).events()]);
}

/** "epoch/machine/seq" of each event, sorted. */
export function identitiesOf(events: readonly StoredEvent[]): string[] {
  return events.map(({ epoch, machineId, seq }) => `${epoch}/${machineId}/${String(seq).padStart(8, "0")}`).sort();
}
