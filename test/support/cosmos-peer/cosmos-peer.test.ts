import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { type CosmosPeer, startCosmosPeer } from "./cosmos-peer.ts";

// The peer is only worth testing against as far as it refuses what Azure refuses.

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly type: string;
  readonly link: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly key?: string;
  readonly date?: Date;
}

async function ask(
  peer: CosmosPeer,
  { method = "POST", path, type, link, headers = {}, body, key = peer.key, date = new Date() }: Asked,
): Promise<{ status: number; json: unknown }> {
  const stamp = date.toUTCString();
  const text = `${method.toLowerCase()}\n${type}\n${link}\n${stamp.toLowerCase()}\n\n`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
  const response = await fetch(`${peer.endpoint}${path}`, {
    method,
    headers: {
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
      "x-ms-date": stamp,
      "x-ms-version": "2020-07-15",
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.text();
  return { status: response.status, json: answer === "" ? undefined : JSON.parse(answer) };
}

const DEFINITION = {
  id: "c",
  partitionKey: { paths: ["/pk"], kind: "Hash", version: 2 },
  indexingPolicy: { excludedPaths: [{ path: "/*" }] },
};
const DOCS = { path: "dbs/d/colls/c/docs", type: "docs", link: "dbs/d/colls/c" };
const OF_A = { "x-ms-documentdb-partitionkey": '["a"]' };
const BATCH = { ...OF_A, "x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "true" };

async function peerWithContainer(): Promise<CosmosPeer> {
  const peer = await startCosmosPeer();
  await ask(peer, { path: "dbs", type: "dbs", link: "", body: { id: "d" } });
  await ask(peer, { path: "dbs/d/colls", type: "colls", link: "dbs/d", body: DEFINITION });
  return peer;
}

test("another key, a signature over something else, none, and an old one are refused", async () => {
  await using peer = await peerWithContainer();
  const right = { ...DOCS, headers: OF_A, body: { id: "1", pk: "a" } };
  expect((await ask(peer, { ...right, key: Buffer.alloc(64).toString("base64") })).status).toBe(401);
  expect((await ask(peer, { ...right, link: "dbs/d/colls/other" })).status).toBe(401);
  expect((await fetch(`${peer.endpoint}dbs`, { method: "POST" })).status).toBe(401);
  expect((await ask(peer, { ...right, date: new Date(Date.now() - 16 * 60_000) })).status).toBe(403);
  expect((await ask(peer, right)).status).toBe(201);
  expect((await ask(peer, right)).status).toBe(409);
});

test("partition keys that are missing or another document's, ids with slashes and documents over 2 MB are refused", async () => {
  await using peer = await peerWithContainer();
  const statusOf = async (headers: Record<string, string>, body: unknown): Promise<number> =>
    (await ask(peer, { ...DOCS, headers, body })).status;
  expect(await statusOf({}, { id: "1", pk: "a" })).toBe(400);
  expect(await statusOf(OF_A, { id: "1", pk: "b" })).toBe(400);
  expect(await statusOf(OF_A, { id: "1/2", pk: "a" })).toBe(400);
  expect(await statusOf(OF_A, { id: "x".repeat(1_024), pk: "a" })).toBe(400);
  expect(await statusOf(OF_A, { id: "1", pk: "a", body: "x".repeat(2 * 1024 * 1024) })).toBe(413);
});

test("a batch that fails says which operation, and has done nothing", async () => {
  await using peer = await peerWithContainer();
  const create = (id: string): unknown => ({ operationType: "Create", resourceBody: { id, pk: "a" } });
  const batch = (...operations: unknown[]): ReturnType<typeof ask> =>
    ask(peer, { ...DOCS, headers: BATCH, body: operations });
  expect((await batch(create("1"))).status).toBe(200);
  const { status, json } = await batch(create("2"), create("1"), create("3"));
  expect([status, (json as { statusCode: number }[]).map(({ statusCode }) => statusCode)]).toEqual([
    207,
    [424, 409, 424],
  ]);
  expect(
    peer
      .collection("d", "c")
      .items("a")
      .map(({ content }) => content.id),
  ).toEqual(["1"]);
  expect((await batch(...Array.from({ length: 101 }, (_, index) => create(`n${index}`)))).status).toBe(400);
});
