import type Database from "better-sqlite3";
import type { AccessPolicies, AccessPolicy, Right } from "../ports.ts";
import { newKey } from "./authentication.ts";

/** As a new IoT Hub has them. */
const RIGHTS_BY_NAME: Readonly<Record<string, readonly Right[]>> = {
  iothubowner: ["RegistryRead", "RegistryWrite", "ServiceConnect", "DeviceConnect"],
  service: ["ServiceConnect"],
  device: ["DeviceConnect"],
  registryRead: ["RegistryRead"],
  registryReadWrite: ["RegistryRead", "RegistryWrite"],
};

/** The policies of the hub; their keys are made with the file and never change. */
export class SqlitePolicies implements AccessPolicies {
  readonly #policies: readonly AccessPolicy[];

  constructor(database: Database.Database) {
    const insert = database.prepare(
      "INSERT INTO policy (name, primary_key, secondary_key, rights) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    database.transaction(() => {
      for (const [name, rights] of Object.entries(RIGHTS_BY_NAME)) {
        insert.run(name, newKey(), newKey(), JSON.stringify(rights));
      }
    })();
    this.#policies = database
      .prepare<[], { name: string; primary_key: string; secondary_key: string; rights: string }>(
        "SELECT name, primary_key, secondary_key, rights FROM policy",
      )
      .all()
      .map(({ name, primary_key, secondary_key, rights }) => ({
        name,
        primaryKey: primary_key,
        secondaryKey: secondary_key,
        rights: JSON.parse(rights) as Right[],
      }));
  }

  all(): AccessPolicy[] {
    return [...this.#policies];
  }

  get(name: string): AccessPolicy | undefined {
    return this.#policies.find((policy) => policy.name === name);
  }
}
