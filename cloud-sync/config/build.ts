import { isIP } from "node:net";
import { resolve } from "node:path";
import type { Findings } from "../../edge/kernel/config/problem.ts";
import type { SecretFiles } from "../../edge/kernel/config/secret-files.ts";
import type {
  CloudConfig,
  DatabaseConfig,
  HubConfig,
  LakeConfig,
  OfficeConfig,
  OidcConfig,
  ScoringConfig,
  ScoringRuleConfig,
  StoreConfig,
} from "./model.ts";
import type { CloudFile } from "./schema.ts";

const CONSUMER_GROUP = "$Default";
const OFFICE_PORT = 8090;
const LAKE_FLUSH_SECONDS = 300;
const TELEMETRY_DAYS = 30;
const COSMOS_DATABASE = "tailstock";

/** What a file whose shape is right means; undefined when something is missing, which `findings` then names. */
export function buildCloudConfig(
  file: CloudFile,
  folder: string,
  findings: Findings,
  secrets: SecretFiles,
): CloudConfig | undefined {
  const builder = new Builder(folder, findings, secrets);
  const hub = builder.hub(file.hub);
  const database = builder.database(file.database);
  const store = builder.store(file.store);
  const lake = builder.lake(file.lake);
  const scoring = builder.scoring(file.scoring);
  const office = builder.office(file.office);
  if (database === undefined || store === undefined) return undefined;
  return { folder, company: file.company ?? "Tailstock", hub, database, store, lake, scoring, office };
}

class Builder {
  readonly #folder: string;
  readonly #findings: Findings;
  readonly #secrets: SecretFiles;

  constructor(folder: string, findings: Findings, secrets: SecretFiles) {
    this.#folder = folder;
    this.#findings = findings;
    this.#secrets = secrets;
  }

  hub(file: CloudFile["hub"]): HubConfig | undefined {
    if (file === undefined) return undefined;
    const events = this.#connectionString(file.eventsFile, ["hub", "eventsFile"], "Endpoint=sb://");
    const service =
      file.serviceFile === undefined
        ? undefined
        : this.#connectionString(file.serviceFile, ["hub", "serviceFile"], "HostName=");
    const ca = file.ca === undefined ? undefined : this.#secrets.certificates(file.ca, ["hub", "ca"]);
    if (events !== undefined && !/;EntityPath=/i.test(events))
      this.#findings.problem(
        ["hub", "eventsFile"],
        "the connection string names no EntityPath",
        "take the Event Hubs-compatible endpoint's connection string, or put ;EntityPath=NAME behind it",
      );
    if (events === undefined) return undefined;
    return {
      eventsConnectionString: events,
      consumerGroup: file.consumerGroup ?? CONSUMER_GROUP,
      serviceConnectionString: service,
      ca,
    };
  }

  database({ urlFile, embedded, port }: CloudFile["database"]): DatabaseConfig | undefined {
    if ((urlFile === undefined) === (embedded === undefined)) {
      this.#findings.problem(
        ["database"],
        urlFile === undefined ? "says neither urlFile nor embedded" : "says both urlFile and embedded",
        "name a file with the URL of your server, or a folder for a PostgreSQL of our own",
      );
      return undefined;
    }
    if (embedded !== undefined) return { kind: "embedded", folder: resolve(this.#folder, embedded), port };
    const at = ["database", "urlFile"];
    const url = this.#secrets.line(urlFile ?? "", at, "URL");
    if (url === undefined) return undefined;
    if (!/^postgres(?:ql)?:\/\//.test(url)) {
      this.#findings.problem(at, "the file holds no postgres:// URL", "postgres://user:password@host:5432/database");
      return undefined;
    }
    return { kind: "url", url };
  }

  store(file: CloudFile["store"]): StoreConfig | undefined {
    const telemetryDays = file?.telemetryDays ?? TELEMETRY_DAYS;
    if ((file?.kind ?? "postgres") === "postgres") {
      for (const key of ["endpoint", "keyFile", "database", "throughputMax"] as const)
        if (file?.[key] !== undefined)
          this.#findings.problem(["store", key], "belongs to Cosmos DB", "write kind: cosmos, or leave it out", "key");
      return { kind: "postgres", telemetryDays };
    }
    const key = file?.keyFile === undefined ? undefined : this.#secrets.line(file.keyFile, ["store", "keyFile"], "key");
    if (file?.endpoint === undefined || file.keyFile === undefined)
      this.#findings.problem(["store"], "Cosmos DB needs endpoint and keyFile", "both stand under Keys in the portal");
    if (file?.endpoint === undefined || key === undefined) return undefined;
    const { endpoint, database = COSMOS_DATABASE, throughputMax } = file;
    return { kind: "cosmos", endpoint, key, database, throughputMax, telemetryDays };
  }

  lake(file: CloudFile["lake"]): LakeConfig | undefined {
    if (file === undefined) return undefined;
    const flushMs = (file.flushSeconds ?? LAKE_FLUSH_SECONDS) * 1_000;
    if (file.folder !== undefined && file.blobFile === undefined)
      return { place: { folder: resolve(this.#folder, file.folder) }, flushMs };
    if (file.folder !== undefined || file.blobFile === undefined || file.container === undefined) {
      this.#findings.problem(["lake"], "names no one place", "write folder, or blobFile and container");
      return undefined;
    }
    const at = ["lake", "blobFile"];
    const blob = this.#secrets.line(file.blobFile, at, "connection string");
    if (blob === undefined) return undefined;
    return { place: { blob, container: file.container, prefix: file.prefix ?? "" }, flushMs };
  }

  scoring(file: CloudFile["scoring"]): ScoringConfig | undefined {
    if (file === undefined) return undefined;
    const rules = (file.rules ?? []).map(scoringRule);
    if (file.producerFile === undefined) return { rules, producer: undefined };
    const connectionString = this.#connectionString(file.producerFile, ["scoring", "producerFile"], "Endpoint=sb://");
    if (connectionString === undefined) return undefined;
    return { rules, producer: { connectionString, eventHub: file.eventHub } };
  }

  office(file: CloudFile["office"]): OfficeConfig {
    const listen = file?.listen ?? "127.0.0.1";
    const behindProxy = file?.behindProxy ?? false;
    const isLoopback = listen === "localhost" || listen === "::1" || (isIP(listen) === 4 && listen.startsWith("127."));
    if (!isLoopback && !behindProxy)
      this.#findings.problem(
        ["office", "listen"],
        `'${listen}' can be reached from elsewhere, and passwords would cross the network in the clear`,
        "put a proxy that speaks TLS in front and write behindProxy: true, or listen on 127.0.0.1",
      );
    return {
      listen,
      port: file?.port ?? OFFICE_PORT,
      behindProxy,
      commandUrl: file?.commandUrl,
      queryUrl: file?.queryUrl,
      oidc: file?.oidc && this.#oidc(file.oidc),
    };
  }

  #oidc(file: NonNullable<NonNullable<CloudFile["office"]>["oidc"]>): OidcConfig {
    const { issuer, clientId, clientSecretFile, callbackUrl, roleClaim = "roles", roles = {} } = file;
    const at = ["office", "oidc", "clientSecretFile"];
    const clientSecret = clientSecretFile && this.#secrets.line(clientSecretFile, at, "client secret");
    return { issuer, clientId, clientSecret, callbackUrl, roleClaim, roles };
  }

  #connectionString(name: string, at: readonly string[], beginning: string): string | undefined {
    const text = this.#secrets.line(name, at, "connection string");
    if (text === undefined) return undefined;
    if (new RegExp(`(?:^|;)${beginning}`, "i").test(text)) return text;
    this.#findings.problem(
      at,
      `the file's connection string has no ${beginning}…`,
      "copy the connection string anew from the portal, or from the local hub's connections.json",
    );
    return undefined;
  }
}

type ScoringRuleFile = NonNullable<NonNullable<CloudFile["scoring"]>["rules"]>[number];

function scoringRule(file: ScoringRuleFile): ScoringRuleConfig {
  const { types, pressure, temperature, anomalies, everySeconds } = file;
  const inputs = {
    machinePressure: pressure ?? "machinePressure",
    machineTemperature: temperature ?? "machineTemperature",
  };
  return {
    ...(types === undefined ? {} : { types }),
    maintenance: inputs,
    anomalies: anomalies ?? Object.values(inputs),
    ...(everySeconds === undefined ? {} : { everyMs: everySeconds * 1000 }),
  };
}
