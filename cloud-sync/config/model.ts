/** What cloud.yaml says, complete: defaults filled in, secrets read, paths absolute. */
export interface CloudConfig {
  /** Of the configuration's file. */
  readonly folder: string;
  readonly company: string;
  /** undefined: nothing is taken in here. */
  readonly hub: HubConfig | undefined;
  readonly database: DatabaseConfig;
  readonly store: StoreConfig;
  readonly lake: LakeConfig | undefined;
  readonly scoring: ScoringConfig | undefined;
  readonly office: OfficeConfig;
}

export interface HubConfig {
  readonly eventsConnectionString: string;
  readonly consumerGroup: string;
  readonly serviceConnectionString: string | undefined;
  /** Path of a PEM file. */
  readonly ca: string | undefined;
}

export type DatabaseConfig =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "embedded"; readonly folder: string; readonly port: number | undefined };

export type StoreConfig =
  | { readonly kind: "postgres"; readonly telemetryDays: number }
  | {
      readonly kind: "cosmos";
      readonly endpoint: string;
      readonly key: string;
      readonly database: string;
      /** RU a second. */
      readonly throughputMax: number | undefined;
      readonly telemetryDays: number;
    };

export type LakePlaceConfig =
  | { readonly folder: string }
  | { readonly blob: string; readonly container: string; readonly prefix: string };

export interface LakeConfig {
  readonly place: LakePlaceConfig;
  readonly flushMs: number;
}

/** What is scored of which machines; what is left out is as of a stamping press. */
export interface ScoringRuleConfig {
  readonly types?: readonly string[];
  /** The machines' signal for each input of the model. */
  readonly maintenance?: Readonly<Record<string, string>>;
  readonly anomalies?: readonly string[];
  readonly everyMs?: number;
}

export interface ScoringConfig {
  readonly rules: readonly ScoringRuleConfig[];
  readonly producer: { readonly connectionString: string; readonly eventHub: string | undefined } | undefined;
}

export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly callbackUrl: string | undefined;
  readonly roleClaim: string;
  readonly roles: Readonly<Record<string, "viewer" | "operator" | "technician" | "administrator">>;
}

export interface OfficeConfig {
  readonly listen: string;
  readonly port: number;
  readonly behindProxy: boolean;
  readonly commandUrl: string | undefined;
  readonly queryUrl: string | undefined;
  readonly oidc: OidcConfig | undefined;
}
