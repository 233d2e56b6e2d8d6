import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Client, TestOffice } from "../../../test/support/office.ts";
import { metadataPartition } from "../../store/metadata-document.ts";

const signal = new AbortController().signal;
const FACTORY = { name: "Redmond", location: { city: "Redmond", latitude: 47.674, longitude: -122.1215 } };

let office: TestOffice;
let anna: Client;
let tom: Client;
let olga: Client;
let victor: Client;

beforeAll(async () => {
  office = await TestOffice.start();
  anna = await office.person("Anna", "administrator");
  tom = await office.person("Tom", "technician");
  olga = await office.person("Olga", "operator");
  victor = await office.person("Victor", "viewer");
  expect((await anna.send("POST", "/api/command/factory", { id: "redmond", data: FACTORY })).status).toBe(201);
  expect(
    (await tom.send("POST", "/api/command/machine", { id: "redmond/mill-07", data: { factoryId: "redmond" } })).status,
  ).toBe(201);
});
afterAll(() => office[Symbol.asyncDispose]());

const match = (answer: Answer): Record<string, string> => ({ "if-match": answer.headers.get("etag") ?? "" });

test("an entity's life is events with their authors, and its state is read at once", async () => {
  const path = "/api/command/factory/pune";
  const created = await anna.send("POST", "/api/command/factory", { id: "pune", data: { ...FACTORY, name: "Pune" } });
  expect(created.status).toBe(201);
  expect(created.headers.get("location")).toBe(path);
  expect(created.body).toMatchObject({
    kind: "factory",
    id: "pune",
    factoryId: "pune",
    version: 1,
    createdBy: "Anna",
    deleted: false,
  });
  // What was left out is there, as null.
  expect(created.body.data).toEqual({
    name: "Pune",
    location: { ...FACTORY.location, address: null },
    inServiceSince: null,
  });
  const updated = await anna.send("PUT", path, { data: { ...FACTORY, name: "Pune 2" } }, match(created));
  expect(updated.body).toMatchObject({ version: 2, data: { name: "Pune 2" } });
  const removed = await anna.send("DELETE", path, undefined, match(updated));
  expect(removed.body).toMatchObject({ version: 3, deleted: true });
  expect((await anna.send("PUT", path, { data: FACTORY }, match(removed))).body.error).toBe("DELETED");
  const restored = await anna.send("POST", `${path}/restore`, undefined, match(removed));
  expect(restored.body).toMatchObject({ version: 4, deleted: false });
  const read = await victor.get(path);
  expect(read.body).toEqual(restored.body);
  expect(read.headers.get("etag")).toBe(restored.headers.get("etag"));
  const events = await office.store.range(
    "metadata",
    metadataPartition("factory", "pune"),
    { toId: "event-~", limit: 100 },
    signal,
  );
  expect(events.map(({ fields }) => [fields.eventType, fields.author, fields.version])).toEqual([
    ["Factory Created", "Anna", 1],
    ["Factory Updated", "Anna", 2],
    ["Factory Deleted", "Anna", 3],
    ["Factory Restored", "Anna", 4],
  ]);
});

test("a change says which state it changes, and comes too late when somebody was quicker", async () => {
  const made = await olga.send("POST", "/api/command/note", {
    data: { machineId: "redmond/mill-07", text: "squeaks" },
  });
  const path = `/api/command/note/${made.body.id}`;
  const data = { machineId: "redmond/mill-07", text: "squeaks loudly" };
  for (const headers of [{}, { "if-match": "*" }, { "if-match": "" }])
    expect((await olga.send("PUT", path, { data }, headers)).status).toBe(428);
  for (const tag of ['"v2"', 'W/"v1"', '"nonsense"', "'"])
    expect((await olga.send("PUT", path, { data }, { "if-match": tag })).status).toBe(412);
  // Twenty at once: one is carried out, the others see what it made.
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      olga.send("PUT", path, { data: { ...data, text: `squeaks ${index}` } }, match(made)),
    ),
  );
  const winner = answers.find(({ status }) => status === 200);
  const losers = answers.filter(({ status }) => status === 412);
  expect(losers).toHaveLength(19);
  expect(losers.every(({ body }) => body.current.data.text === winner?.body.data.text)).toBe(true);
  expect(losers[0]?.headers.get("etag")).toBe('"v2"');
  expect((await olga.get(path)).body.version).toBe(2);
  // The store's own tag is taken too: read models show it.
  const [state] = await office.store.get(
    "metadata",
    [{ partition: metadataPartition("note", made.body.id), id: "state" }],
    signal,
  );
  expect((await olga.send("PUT", path, { data }, { "if-match": `"${state?.etag}"` })).body.version).toBe(3);
});

describe("who may what", () => {
  const machine = { factoryId: "redmond" };
  const criterion = { requirement: "r", description: "d", action: "a", thresholds: [] };
  const note = { machineId: "redmond/mill-07", text: "t" };
  const order = { machineId: "redmond/mill-07", requirement: "r", status: "open" };
  test.each<[string, unknown, number[]]>([
    ["factory", { id: "f", data: FACTORY }, [403, 403, 403]],
    ["machine", { id: "m", data: machine }, [403, 403, 201]],
    ["criterion", { id: "c", data: criterion }, [403, 403, 201]],
    ["note", { data: note }, [403, 201, 201]],
    ["work-order", { data: order }, [403, 201, 201]],
  ])("%s by viewer, operator, technician", async (kind, body, expected) => {
    const statuses: number[] = [];
    for (const client of [victor, olga, tom])
      statuses.push((await client.send("POST", `/api/command/${kind}`, body)).status);
    expect(statuses).toEqual(expected);
  });
  test("deleting is the administrator's, whatever it is", async () => {
    const made = await tom.send("POST", "/api/command/note", { data: note });
    const path = `/api/command/note/${made.body.id}`;
    expect((await tom.send("DELETE", path, undefined, match(made))).status).toBe(403);
    expect((await anna.send("DELETE", path, undefined, match(made))).status).toBe(200);
  });
  test("a token of one factory reads and changes that factory alone", async () => {
    await anna.send("POST", "/api/command/factory", { id: "suzhou", data: FACTORY });
    await tom.send("POST", "/api/command/machine", { id: "suzhou/press-1", data: { factoryId: "suzhou" } });
    const mirror = await office.token("suzhou mirror", "technician", "suzhou");
    expect((await mirror.get("/api/command/machine/suzhou%2Fpress-1")).status).toBe(200);
    expect((await mirror.get("/api/command/machine/redmond%2Fmill-07")).body.error).toBe("FACTORY_ONLY");
    const post = (data: unknown) => mirror.send("POST", "/api/command/note", { data });
    const made = await post({ machineId: "suzhou/press-1", text: "by token" });
    expect(made.body).toMatchObject({ factoryId: "suzhou", createdBy: "suzhou mirror" });
    expect((await post({ machineId: "redmond/mill-07", text: "x" })).status).toBe(403);
    // Nor is a machine moved out of it, or one of another factory shown by trying to make it.
    const own = await mirror.get("/api/command/machine/suzhou%2Fpress-1");
    const moved = await mirror.send(
      "PUT",
      "/api/command/machine/suzhou%2Fpress-1",
      { data: { factoryId: "redmond" } },
      match(own),
    );
    expect(moved.status).toBe(403);
    const taken = await mirror.send("POST", "/api/command/machine", {
      id: "redmond/mill-07",
      data: { factoryId: "suzhou" },
    });
    expect(taken.status).toBe(403);
    expect(taken.body.current).toBeUndefined();
  });
  test("nobody: not even what a request must look like", async () => {
    const response = await fetch(`${office.url}/api/command/factory`, { method: "POST", body: "x".repeat(1_000_000) });
    expect(response.status).toBe(401);
  });
});

test("machine ids are any visible text, percent-encoded in addresses", async () => {
  for (const id of [
    "redmond/a b%2F?#&=;'\"--x",
    "../../etc/passwd",
    "%00",
    "löten/机器/🛠",
    "a".repeat(512),
    "constructor",
    "__proto__",
    ".",
  ]) {
    const made = await tom.send("POST", "/api/command/machine", { id, data: { factoryId: "redmond" } });
    expect([id, made.status]).toEqual([id, 201]);
    expect(made.body.machineId).toBe(id);
    // fetch takes dots out of paths, as browsers do.
    if (id === ".") continue;
    const read = await tom.get(`/api/command/machine/${encodeURIComponent(id)}`);
    expect([id, read.body.id]).toEqual([id, id]);
    expect(made.headers.get("location")).toBe(`/api/command/machine/${encodeURIComponent(id)}`);
  }
});

test("references must be there, and stay so only for what is new", async () => {
  const note = (data: object) => olga.send("POST", "/api/command/note", { data: { text: "t", ...data } });
  expect((await note({ machineId: "nowhere/m" })).body).toMatchObject({ error: "REFERENCE_UNKNOWN" });
  const machine = await tom.send("POST", "/api/command/machine", { id: "redmond/old", data: { factoryId: "redmond" } });
  const order = { machineId: "redmond/old", requirement: "tighten", status: "open" };
  const made = await olga.send("POST", "/api/command/work-order", { data: order });
  expect(made.body).toMatchObject({ factoryId: "redmond", machineId: "redmond/old" });
  await anna.send("DELETE", "/api/command/machine/redmond%2Fold", undefined, match(machine));
  expect((await note({ machineId: "redmond/old" })).body).toMatchObject({ error: "REFERENCE_DELETED" });
  // The order of a machine that is gone can still be closed.
  const path = `/api/command/work-order/${made.body.id}`;
  const closed = await olga.send("PUT", path, { data: { ...order, status: "cancelled" } }, match(made));
  expect(closed.body).toMatchObject({ factoryId: "redmond", data: { status: "cancelled" } });
});

test("work orders go their way", async () => {
  const data = {
    machineId: "redmond/mill-07",
    requirement: "loosen",
    status: "open",
    assignee: "Olga",
    dueOn: "2026-12-24",
  };
  const post = (status: string) => olga.send("POST", "/api/command/work-order", { data: { ...data, status } });
  expect((await post("done")).body.error).toBe("TRANSITION_REFUSED");
  let now = await post("open");
  const path = `/api/command/work-order/${now.body.id}`;
  const to = (status: string) => olga.send("PUT", path, { data: { ...data, status } }, match(now));
  expect((await to("done")).body).toMatchObject({
    error: "TRANSITION_REFUSED",
    hint: "It can become: in-progress, cancelled.",
  });
  for (const status of ["in-progress", "open", "in-progress", "done"]) {
    now = await to(status);
    expect(now.status).toBe(200);
  }
  for (const status of ["open", "in-progress", "cancelled"]) expect((await to(status)).status).toBe(409);
});

describe("what makes no sense is refused in one sentence", () => {
  const f = (data: object) => ["factory", { id: "bad", data: { ...FACTORY, ...data } }] as const;
  const m = (data: object) => ["machine", { id: "bad", data: { factoryId: "redmond", ...data } }] as const;
  const c = (threshold: object) =>
    [
      "criterion",
      { id: "bad", data: { requirement: "r", description: "d", action: "a", thresholds: [threshold] } },
    ] as const;
  const at = (latitude: unknown, longitude: unknown) => f({ location: { latitude, longitude } });
  test.each<[string, readonly [string, unknown], RegExp]>([
    ["latitude", at(90.01, 0), /data\.location\.latitude/],
    ["longitude", at(0, -180.5), /data\.location\.longitude/],
    ["latitude as text", at("47", 0), /data\.location\.latitude/],
    ["a day no calendar has", f({ inServiceSince: "2026-02-30" }), /inServiceSince is no day/],
    ["a year 9999", f({ inServiceSince: "9999-01-01" }), /inServiceSince is no day/],
    ["unknown field", f({ colour: "red" }), /unknown fields: "colour"/],
    ["NUL", f({ name: "a\0b" }), /data\.name/],
    ["line break in a line", f({ name: "a\r\nset-cookie: x=1" }), /data\.name/],
    ["half a character", f({ name: "\ud83d" }), /half a character|data\.name/],
    ["empty name", f({ name: "" }), /data\.name/],
    ["long name", f({ name: "x".repeat(201) }), /data\.name/],
    ["maintenance to come", m({ lastMaintenanceOn: "2027-01-01" }), /has not come yet/],
    ["maintenance before service", m({ inServiceSince: "2020-01-02", lastMaintenanceOn: "2020-01-01" }), /before/],
    ["prototype of settings", m({ modelSettings: { constructor: { prototype: { x: 1 } } } }), /./],
    ["deep settings", m({ modelSettings: { anomaly: { threshold: { deep: 1 } } } }), /modelSettings/],
    ["threshold without limit", c({ signal: "p" }), /thresholds\.0 has no limit/],
    ["threshold that never holds", c({ signal: "p", above: 9, below: 8 }), /can never hold/],
    ["two limits on a side", c({ signal: "p", above: 9, atLeast: 8 }), /two limits/],
    [
      "id with control characters",
      ["machine", { id: "a\u0007", data: { factoryId: "redmond" } }],
      /an id is visible text/,
    ],
    ["id too long", ["machine", { id: "🛠".repeat(400), data: { factoryId: "redmond" } }], /an id is visible text/],
    ["no id", ["machine", { data: { factoryId: "redmond" } }], /id/],
    [
      "note about both",
      ["note", { data: { machineId: "redmond/mill-07", factoryId: "redmond", text: "t" } }],
      /one of/,
    ],
  ])("%s", async (_what, [kind, body], message) => {
    const answer = await anna.send("POST", `/api/command/${kind}`, body);
    expect(answer.status).toBe(400);
    expect(answer.body.message).toMatch(message);
    expect(Object.keys(answer.body).sort()).toEqual(["error", "hint", "message"]);
  });
  test.each<[string, string, Record<string, string>, number]>([
    ["a megabyte", JSON.stringify({ id: "x", data: { name: "x".repeat(1_000_000) } }), {}, 413],
    ["a thousand levels", `{"id":"x","data":${"[".repeat(20_000)}${"]".repeat(20_000)}}`, {}, 400],
    ["prototype key", '{"id":"x","__proto__":{"role":"administrator"},"data":{}}', {}, 400],
    ["constructor key", '{"id":"x","constructor":{"prototype":{"a":1}},"data":{}}', {}, 400],
    ["half a document", '{"id":"x"', {}, 400],
    ["nothing", "", {}, 400],
    ["no JSON", "id=x", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["plain text", '{"id":"x"}', { "content-type": "text/plain" }, 415],
    ["a key of spaces", JSON.stringify({ id: "x", data: FACTORY }), { "idempotency-key": "a b" }, 400],
    ["a key without end", JSON.stringify({ id: "x", data: FACTORY }), { "idempotency-key": "k".repeat(201) }, 400],
  ])("%s", async (_what, body, headers, status) => {
    const answer = await anna.send("POST", "/api/command/factory", body, headers);
    expect(answer.status).toBe(status);
    expect(Object.keys(answer.body).sort()).toEqual(["error", "hint", "message"]);
  });
  test("SQL is text", async () => {
    const text = "'); DROP TABLE store.metadata; --";
    const made = await olga.send("POST", "/api/command/note", { data: { machineId: "redmond/mill-07", text } });
    expect((await olga.get(`/api/command/note/${made.body.id}`)).body.data.text).toBe(text);
    expect((await olga.get(`/api/command/note/${encodeURIComponent("' OR 1=1 --")}`)).status).toBe(404);
  });
});

test("openapi.json describes every kind", async () => {
  const { body } = await anna.get("/api/command/openapi.json");
  expect(Object.keys(body.paths)).toHaveLength(15);
  expect(body.paths["/api/command/machine/{id}"]).toHaveProperty("put");
});
