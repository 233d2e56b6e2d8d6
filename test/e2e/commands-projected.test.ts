import { pino } from "pino";
import { expect, test } from "vitest";
import { ProjectionRunner } from "../../cloud-sync/projections/runner.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { TestOffice } from "../support/office.ts";

// Commands on one side, the read model on the other: what the command service answers is what the projection comes to show.

test("the read model shows what was commanded, and its tag is good for the next command", async () => {
  await using office = await TestOffice.start();
  const { database } = office.database;
  const stop = new AbortController();
  const runner = new ProjectionRunner({
    store: office.store,
    database,
    projections: ["metadata"],
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  const running = runner.run(stop.signal, () => undefined);
  try {
    const anna = await office.person("Anna", "administrator");
    const id = "redmond/mill 'n' 7%🛠";
    const path = `/api/command/machine/${encodeURIComponent(id)}`;
    await anna.send("POST", "/api/command/factory", { id: "redmond", data: { name: "Redmond", location: {} } });
    await anna.send("POST", "/api/command/machine", { id, data: { factoryId: "redmond", serialNumber: "S-1" } });
    const last = await anna.send(
      "PUT",
      path,
      { data: { factoryId: "redmond", serialNumber: 'S-2 "; DROP TABLE model.metadata' } },
      { "if-match": '"v1"', "idempotency-key": "k1" },
    );
    const row = async () => {
      const { rows } = await database.query("SELECT * FROM model.metadata WHERE kind = 'machine' AND id = $1", [id]);
      return rows[0];
    };
    await expect.poll(async () => (await row())?.version, { timeout: 20_000 }).toBe(2);
    const { etag, ...shown } = (await row()) ?? {};
    expect(shown).toEqual({
      kind: "machine",
      id,
      factory_id: "redmond",
      machine_id: id,
      version: 2,
      deleted: false,
      data: last.body.data,
      created_at: new Date(last.body.createdAt),
      created_by: "Anna",
      changed_at: new Date(last.body.changedAt),
      changed_by: "Anna",
    });
    const removed = await anna.send("DELETE", path, undefined, { "if-match": `"${etag}"` });
    expect(removed.status).toBe(200);
    await expect.poll(async () => (await row())?.deleted, { timeout: 20_000 }).toBe(true);
    const { rows } = await database.query(
      "SELECT event_type, author FROM model.metadata_event WHERE kind = 'machine' AND id = $1 ORDER BY version",
      [id],
    );
    expect(rows.map(({ event_type, author }) => `${event_type} by ${author}`)).toEqual([
      "Machine Created by Anna",
      "Machine Updated by Anna",
      "Machine Deleted by Anna",
    ]);
  } finally {
    stop.abort();
    await running;
  }
});
