import { afterAll, beforeAll, expect, test } from "vitest";
import { putMetadata, putScore } from "../../../../test/support/office-documents.ts";
import { type OfficeServer, officeServer } from "../../../../test/support/office-server.ts";
import type { ChangesPage, ChangesRanges } from "./schema.ts";

let office: OfficeServer;
let ofRedmond: string;
let ofAll: string;
beforeAll(async () => {
  office = await officeServer();
  ofRedmond = await office.access.tokens.add({ name: "mirror redmond", role: "viewer", factoryId: "redmond" }, "ada");
  ofAll = await office.access.tokens.add({ name: "report", role: "viewer" }, "ada");
  await putMetadata(office.store, "factory", "redmond", "redmond", { city: "Redmond" });
  await putMetadata(office.store, "factory", "austin", "austin", { city: "Austin" });
  await putMetadata(office.store, "criterion", "weekly", "", { days: 7 });
  await putMetadata(office.store, "note", "n1", "austin", { text: "of Austin alone" });
  await putMetadata(office.store, "note", "n2", "redmond", { text: "of Redmond" });
  for (let seq = 1; seq <= 3; seq++) await putScore(office.store, "redmond", "redmond/mill", seq);
  await putScore(office.store, "austin", "austin/press", 9);
});
afterAll(() => office[Symbol.asyncDispose]());

async function ask(path: string, token?: string): Promise<{ status: number; json: unknown }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${office.url}/api/query/changes/${path}`, { headers });
  return { status: response.status, json: await response.json() };
}

/** All documents as "stream id" in the order of the feed, page by page. */
async function followed(container: string, token: string, query = ""): Promise<string[]> {
  const { ranges } = (await ask(`${container}/ranges`, token)).json as ChangesRanges;
  const found: string[] = [];
  for (const range of ranges) {
    let [continuation, hasMore] = ["", true];
    while (hasMore) {
      const page = (await ask(`${container}?range=${range}&limit=2${query}${continuation}`, token)).json as ChangesPage;
      expect(page).toHaveProperty("documents");
      expect(page.documents.length).toBeLessThanOrEqual(3);
      found.push(...page.documents.map(({ stream, id }) => `${stream} ${id}`));
      if (page.continuation !== null) continuation = `&continuation=${encodeURIComponent(page.continuation)}`;
      ({ hasMore } = page);
    }
  }
  return found;
}

const version1 = "event-000000000001";

test("a token of one factory gets its documents and those that concern all, and nothing of others", async () => {
  const own = ["factory/redmond", "criterion/weekly", "note/n2"].flatMap((stream) => [
    `${stream} ${version1}`,
    `${stream} state`,
  ]);
  expect((await followed("metadata", ofRedmond)).sort()).toEqual(own.sort());
  expect((await followed("metadata", ofRedmond, "&factory=austin")).sort()).toEqual(own);
  expect(await followed("scored_telemetry", ofRedmond)).toEqual(
    [1, 2, 3].map((seq) => `redmond/mill events-${String(seq).padStart(16, "0")}`),
  );
});

test("a token of the company gets everything, or the factory that it names", async () => {
  expect(await followed("metadata", ofAll)).toHaveLength(10);
  expect(await followed("scored_telemetry", ofAll)).toHaveLength(4);
  expect(await followed("scored_telemetry", ofAll, "&factory=austin")).toHaveLength(1);
});

test("a document comes whole", async () => {
  const { ranges } = (await ask("scored_telemetry/ranges", ofRedmond)).json as ChangesRanges;
  const pages = await Promise.all(ranges.map((range) => ask(`scored_telemetry?range=${range}`, ofRedmond)));
  const [first] = pages.flatMap(({ json }) => (json as ChangesPage).documents);
  expect(first).toMatchObject({
    stream: "redmond/mill",
    part: "score:maintenance@3/e/0",
    kind: "events",
    fields: { factoryId: "redmond", machineId: "redmond/mill", firstSeq: 1, events: 1 },
  });
  expect(Buffer.from(first?.body ?? "", "base64").toString()).toContain("requirement");
});

test("nobody without a token; telemetry, unknown parameters and limits beyond the greatest are refused", async () => {
  expect((await ask("metadata/ranges")).status).toBe(401);
  expect((await ask("metadata?range=0")).status).toBe(401);
  expect((await ask("metadata?range=0", "tlst_wrong")).status).toBe(401);
  expect((await ask("telemetry?range=0", ofAll)).status).toBe(400);
  expect((await ask("metadata", ofAll)).status).toBe(400);
  expect((await ask("metadata?range=0&limit=0", ofAll)).status).toBe(400);
  expect((await ask("metadata?range=0&limit=1000", ofAll)).status).toBe(400);
  expect((await ask("metadata?range=0&what=ever", ofAll)).status).toBe(400);
});

test("a range or continuation of another store is gone", async () => {
  expect((await ask("metadata?range=77", ofAll)).status).toBe(410);
  const gone = await ask(`metadata?range=0&continuation=${encodeURIComponent('{"rid":"x"}')}`, ofAll);
  expect(gone).toMatchObject({ status: 410, json: { error: "CONTINUATION_GONE" } });
});
