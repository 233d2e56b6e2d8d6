import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { runLocalHub } from "../../test/support/local-hub.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import type { Database } from "../database/database.ts";
import { LineWatch } from "./line-watch.ts";

test("lines are as the hub's registry has them: pages, tags, what boxes report, and those that are gone", async () => {
  const hub = await runLocalHub({ deviceIds: ["box-1", "box-2"] });
  await using server = await testDatabase();
  const { database } = server;
  const more = Array.from({ length: 130 }, (_, i) => ({ deviceId: `press-${i}` }));
  for (let at = 0; at < more.length; at += 100) await hub.registry.addDevices(more.slice(at, at + 100));
  await hub.registry.updateTwin("box-1", { tags: { factory: "redmond" } }, "*");
  await hub.registry.update({ deviceId: "press-7", status: "disabled" });
  hub.local.hub.twins.patchReported(
    { deviceId: "box-1" },
    { tailstock: { condition: "up", backlog: { events: 7 }, odd: "a\0b" } },
  );
  const port = new URL(hub.local.addresses.https).port;
  const service = hub.connections.policies.service?.replace("HostName=localhost;", `HostName=localhost:${port};`) ?? "";
  await seenFrom(database, "box-2", ["leipzig/a", "leipzig/b", "austin/c"]);
  const watch = new LineWatch({
    serviceConnectionString: service,
    caPath: hub.local.addresses.ca,
    database,
    clock: systemClock,
    logger: pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" }),
    intervalMs: 50,
    pageMs: 50,
  });
  const ending = new AbortController();
  const running = watch.run(ending.signal, () => undefined);
  await using _stopped = {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await running;
    },
  };
  const lines = async (): Promise<Record<string, unknown>[]> =>
    (
      await database.query(
        "SELECT device_id, factory_id, connected, enabled, active_at, reported FROM app.line ORDER BY 1",
      )
    ).rows;
  const reach = async (count: number): Promise<Record<string, unknown>[]> => {
    for (const endMs = performance.now() + 20_000; ; ) {
      const found = await lines();
      if (found.length === count) return found;
      if (performance.now() > endMs) throw new Error(`${found.length} lines, ${count} wanted`);
      await systemClock.sleep(30);
    }
  };
  const found = await reach(132);
  const first = { connected: false, enabled: true, active_at: null };
  const reported = { condition: "up", backlog: { events: 7 }, odd: "a\ufffdb" };
  expect(found[0]).toEqual({ device_id: "box-1", factory_id: "redmond", ...first, reported });
  expect(found[1]).toEqual({ device_id: "box-2", factory_id: "leipzig", ...first, reported: {} });
  expect(found.find(({ device_id }) => device_id === "press-7")?.enabled).toBe(false);
  await hub.registry.delete("press-8");
  await reach(131);
});

/** As if the projection had seen these machines by way of a device; whatever else it keeps of them. */
async function seenFrom(database: Database, deviceId: string, machineIds: readonly string[]): Promise<void> {
  const { rows } = await database.query<{ column_name: string; data_type: string }>(
    `SELECT column_name, data_type FROM information_schema.columns
      WHERE table_schema = 'model' AND table_name = 'machine_latest' AND is_nullable = 'NO' AND column_default IS NULL`,
  );
  const own: Record<string, (machineId: string) => string> = {
    machine_id: (machineId) => machineId,
    factory_id: (machineId) => machineId.split("/")[0] ?? "",
    device_id: () => deviceId,
  };
  const byType: Record<string, string> = {
    ARRAY: "{}",
    bigint: "1",
    integer: "1",
    text: "e",
    "timestamp with time zone": "now",
  };
  for (const machineId of machineIds) {
    const values = rows.map(({ column_name, data_type }) => own[column_name]?.(machineId) ?? byType[data_type] ?? "0");
    const names = rows.map(({ column_name }) => column_name).join(", ");
    const places = rows.map((_, at) => `$${at + 1}`).join(", ");
    await database.query(`INSERT INTO model.machine_latest (${names}) VALUES (${places})`, values);
  }
}
