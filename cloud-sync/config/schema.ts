import { type Static, Type } from "typebox";
import { closed, text } from "../../edge/kernel/config/schema-parts.ts";

const connectionStringFile = (of: string) =>
  text(`File that holds the connection string of ${of} and nothing else, relative to this file.`);
const seconds = (minimum: number, maximum: number, description: string, fallback: number) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: fallback, description: `${description}, in seconds.` }));
const url = (description: string) => Type.String({ pattern: "^https?://", maxLength: 2048, description });

const HubSchema = Type.Object(
  {
    eventsFile: connectionStringFile("the hub's Event Hubs-compatible endpoint (with EntityPath)"),
    consumerGroup: Type.Optional(text("Consumer group that is ours alone.", 50)),
    serviceFile: Type.Optional(
      connectionStringFile("a service policy of the hub, by which the boxes' lines are looked up"),
    ),
    ca: Type.Optional(
      text("Certificates (PEM) that the hub is proved by besides the known authorities; relative to this file."),
    ),
  },
  { ...closed, description: "The IoT Hub, or Tailstock's local one, that the factories send to." },
);

const DatabaseSchema = Type.Object(
  {
    urlFile: Type.Optional(
      text("File that holds the URL of PostgreSQL or Citus (postgres://user:password@host/database)."),
    ),
    embedded: Type.Optional(text("Folder of a PostgreSQL of our own, which is started and stopped with us.")),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: "Of the embedded one; any free one when left out." }),
    ),
  },
  {
    ...closed,
    description: "Where read models, checkpoints, accounts and (unless `store:` says Cosmos DB) the events are.",
  },
);

const StoreSchema = Type.Object(
  {
    kind: Type.Optional(Type.Enum(["postgres", "cosmos"], { default: "postgres", description: "The event store." })),
    endpoint: Type.Optional(url("Of Cosmos DB: https://account.documents.azure.com")),
    keyFile: Type.Optional(text("File that holds the account's key and nothing else.")),
    database: Type.Optional(text("Name of the database in the account.", 255)),
    throughputMax: Type.Optional(
      Type.Integer({
        minimum: 1_000,
        maximum: 1_000_000,
        description: "Autoscale maximum of each container, RU a second.",
      }),
    ),
    telemetryDays: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_650,
        default: 30,
        description: "Days that telemetry is kept in the event store.",
      }),
    ),
  },
  { ...closed, description: "The event store." },
);

const LakeSchema = Type.Object(
  {
    folder: Type.Optional(text("Local folder of the Parquet files.")),
    blobFile: Type.Optional(connectionStringFile("an Azure storage account")),
    container: Type.Optional(text("Blob container.", 63)),
    prefix: Type.Optional(text("Beginning of the blobs' names.", 500)),
    flushSeconds: seconds(1, 86_400, "How long readings are gathered into one file", 300),
  },
  { ...closed, description: "The long-term store in columns, without time to live. No lake when left out." },
);

const names = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 200, description });

const ScoringRuleSchema = Type.Object(
  {
    types: Type.Optional(names("Machine types that it is for; all when left out.")),
    pressure: Type.Optional(text("The machines' signal of hydraulic pressure, psi.", 100)),
    temperature: Type.Optional(text("The machines' signal of machine temperature, °C.", 100)),
    anomalies: Type.Optional(names("Signals that are watched for spikes, dips and changes of level.")),
    everySeconds: seconds(1, 86_400, "Between two predictions of a machine whose requirement stays the same", 60),
  },
  { ...closed, description: "What is scored of which machines; the first rule that fits a machine counts." },
);

const ScoringSchema = Type.Object(
  {
    rules: Type.Optional(
      Type.Array(ScoringRuleSchema, {
        maxItems: 100,
        description: "Besides stamping presses with machinePressure and machineTemperature.",
      }),
    ),
    producerFile: Type.Optional(connectionStringFile("an Event Hub that gets what the cloud's models say")),
    eventHub: Type.Optional(text("Its name, when the connection string has no EntityPath.", 256)),
  },
  { ...closed, description: "Scoring of telemetry whose edge has no model, or an older one. Left out: not done." },
);

const OidcSchema = Type.Object(
  {
    issuer: url("The identity provider's issuer URL."),
    clientId: text("Our client id there.", 500),
    clientSecretFile: Type.Optional(text("File that holds our client secret and nothing else.")),
    callbackUrl: Type.Optional(url("What the provider sends people back to; the office's own address when left out.")),
    roleClaim: Type.Optional(text("Claim of the id token that names the role or groups.", 200)),
    roles: Type.Optional(
      Type.Record(Type.String({ maxLength: 500 }), Type.Enum(["viewer", "operator", "technician", "administrator"]), {
        description: "Role by value of the claim; without a match nobody gets in.",
      }),
    ),
  },
  { ...closed, description: "Log in by OpenID Connect." },
);

const OfficeSchema = Type.Object(
  {
    listen: Type.Optional(text("Address to listen on; loopback when left out.", 255)),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, default: 8090, description: "Port of the page." })),
    behindProxy: Type.Optional(
      Type.Boolean({ description: "A proxy in front of us speaks TLS: needed to listen beyond loopback." }),
    ),
    commandUrl: Type.Optional(url("Of a command service that runs apart; it runs in this process when left out.")),
    queryUrl: Type.Optional(url("Of a query service that runs apart; it runs in this process when left out.")),
    oidc: Type.Optional(OidcSchema),
  },
  { ...closed, description: "The central office's page." },
);

/** cloud.yaml */
export const CloudFileSchema = Type.Object(
  {
    company: Type.Optional(text("Shown on the page.", 200)),
    hub: Type.Optional(HubSchema),
    database: DatabaseSchema,
    store: Type.Optional(StoreSchema),
    lake: Type.Optional(LakeSchema),
    scoring: Type.Optional(ScoringSchema),
    office: Type.Optional(OfficeSchema),
  },
  { ...closed, title: "cloud.yaml", description: "Configuration of Tailstock's cloud side." },
);
export type CloudFile = Static<typeof CloudFileSchema>;
