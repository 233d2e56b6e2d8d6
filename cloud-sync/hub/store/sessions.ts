import type Database from "better-sqlite3";
import type { Identity, Sessions } from "../ports.ts";

export class SqliteSessions implements Sessions {
  readonly #get: Database.Statement<[string, string], string>;
  readonly #save: Database.Statement;
  readonly #remove: Database.Statement<[string, string]>;

  constructor(database: Database.Database) {
    this.#get = database
      .prepare<[string, string], string>("SELECT subscriptions FROM session WHERE device_id = ? AND module_id = ?")
      .pluck();
    // An identity that was just removed has no session to be saved.
    this.#save = database.prepare(
      `INSERT INTO session (device_id, module_id, subscriptions)
       SELECT device_id, module_id, @subscriptions FROM identity WHERE device_id = @deviceId AND module_id = @moduleId
       ON CONFLICT (device_id, module_id) DO UPDATE SET subscriptions = excluded.subscriptions`,
    );
    this.#remove = database.prepare("DELETE FROM session WHERE device_id = ? AND module_id = ?");
  }

  get({ deviceId, moduleId = "" }: Identity): ReadonlyMap<string, 0 | 1> | undefined {
    const text = this.#get.get(deviceId, moduleId);
    return text === undefined ? undefined : new Map(Object.entries(JSON.parse(text) as Record<string, 0 | 1>));
  }

  save({ deviceId, moduleId = "" }: Identity, subscriptions: ReadonlyMap<string, 0 | 1>): void {
    const text = JSON.stringify(Object.fromEntries(subscriptions));
    if (this.#get.get(deviceId, moduleId) === text) return;
    this.#save.run({ deviceId, moduleId, subscriptions: text });
  }

  remove({ deviceId, moduleId = "" }: Identity): void {
    if (this.#get.get(deviceId, moduleId) !== undefined) this.#remove.run(deviceId, moduleId);
  }
}
