import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { loadCloudConfig, parseCloudConfig } from "./load.ts";

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = tempFolder();
  mkdirSync(join(folder, "secrets"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function problemsOf(text: string, files: Readonly<Record<string, string>> = {}): string[] {
  const parsed = parseCloudConfig(text, join(folderWith(files), "cloud.yaml"));
  if (!Array.isArray(parsed)) throw new Error("no problem was found");
  return parsed.map(({ line, path, message }) => `${line} ${path}: ${message}`);
}

test("a folder for the database is enough", async () => {
  const folder = folderWith({ "cloud.yaml": "database: { embedded: pg }\n" });
  expect(await loadCloudConfig(join(folder, "cloud.yaml"))).toEqual({
    folder,
    company: "Tailstock",
    hub: undefined,
    database: { kind: "embedded", folder: join(folder, "pg"), port: undefined },
    store: { kind: "postgres", telemetryDays: 30 },
    lake: undefined,
    scoring: undefined,
    office: {
      listen: "127.0.0.1",
      port: 8090,
      behindProxy: false,
      commandUrl: undefined,
      queryUrl: undefined,
      oidc: undefined,
    },
  });
});

test("everything, with its secrets from files beside it", async () => {
  const folder = folderWith({
    "secrets/events": "Endpoint=sb://hub;SharedAccessKeyName=service;SharedAccessKey=k1;EntityPath=hub\n",
    "secrets/service": "HostName=hub;SharedAccessKeyName=service;SharedAccessKey=k2",
    "secrets/database": "postgres://a:b@host/db\n",
    "secrets/cosmos": "k3",
    "secrets/blob": "DefaultEndpointsProtocol=https;AccountName=n;AccountKey=k4",
    "secrets/scored": "Endpoint=sb://other;SharedAccessKeyName=s;SharedAccessKey=k5",
    "secrets/oidc": "k6",
    "cloud.yaml": `
company: Wide World Importers
hub: { eventsFile: secrets/events, consumerGroup: tailstock, serviceFile: secrets/service }
database: { urlFile: secrets/database }
store: { kind: cosmos, endpoint: "https://wwi.documents.azure.com", keyFile: secrets/cosmos, database: wwi, throughputMax: 4000, telemetryDays: 7 }
lake: { blobFile: secrets/blob, container: lake, prefix: wwi/, flushSeconds: 60 }
scoring: { producerFile: secrets/scored, eventHub: scored, rules: [{ types: [press-2], pressure: oilPressure, everySeconds: 10 }] }
office:
  listen: 0.0.0.0
  port: 443
  behindProxy: true
  commandUrl: http://command:8091
  queryUrl: http://query:8092
  oidc: { issuer: "https://login", clientId: c, clientSecretFile: secrets/oidc, roleClaim: groups, roles: { shop: operator } }
`,
  });
  const config = await loadCloudConfig(join(folder, "cloud.yaml"));
  expect(config).toMatchObject({
    company: "Wide World Importers",
    hub: { consumerGroup: "tailstock", eventsConnectionString: expect.stringMatching(/k1;EntityPath=hub$/) },
    database: { kind: "url", url: "postgres://a:b@host/db" },
    store: { kind: "cosmos", key: "k3", database: "wwi", throughputMax: 4000, telemetryDays: 7 },
    lake: { place: { blob: expect.stringContaining("k4"), container: "lake", prefix: "wwi/" }, flushMs: 60_000 },
    scoring: {
      producer: { connectionString: expect.stringContaining("k5"), eventHub: "scored" },
      rules: [
        {
          types: ["press-2"],
          maintenance: { machinePressure: "oilPressure", machineTemperature: "machineTemperature" },
          anomalies: ["oilPressure", "machineTemperature"],
          everyMs: 10_000,
        },
      ],
    },
    office: {
      listen: "0.0.0.0",
      oidc: { clientSecret: "k6", roleClaim: "groups", roles: { shop: "operator" }, callbackUrl: undefined },
    },
  });
});

test("each mistake is one sentence with its line", () => {
  expect(problemsOf("database: {}\n")).toEqual(["1 database: says neither urlFile nor embedded"]);
  expect(problemsOf("database: { embedded: a, urlFile: b }\n")).toEqual(["1 database: says both urlFile and embedded"]);
  expect(problemsOf("database: { embedded: pg }\noffice:\n  listen: 0.0.0.0\n")).toEqual([
    "3 office.listen: '0.0.0.0' can be reached from elsewhere, and passwords would cross the network in the clear",
  ]);
  expect(problemsOf("database: { embedded: pg }\nstore:\n  kind: postgres\n  keyFile: k\n")).toEqual([
    "4 store.keyFile: belongs to Cosmos DB",
  ]);
  expect(problemsOf("database: { embedded: pg }\nhub:\n  eventsFile: e\n", { e: "Endpoint=sb://hub;Key=1" })).toEqual([
    "3 hub.eventsFile: the connection string names no EntityPath",
  ]);
  expect(problemsOf("database: { embedded: pg }\nhub:\n  eventsFile: e\n", { e: "HostName=hub" })[0]).toMatch(
    /has no Endpoint=sb/,
  );
  const [unknown] = problemsOf("database: { embedded: pg }\nofice: {}\n");
  expect(unknown).toMatch(/^2 ofice: /);
});
