import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database } from "../../database/database.ts";
import type { Role } from "./access.ts";

export interface OidcConfig {
  /** https, or http on this computer. */
  readonly issuer: string;
  readonly clientId: string;
  /** undefined: a public client, by PKCE alone. */
  readonly clientSecret?: string | undefined;
  /** As the provider knows it; undefined: where the page is, and /api/session/oidc/callback. */
  readonly callbackUrl?: string | undefined;
  /** The claim that says what a person may do; a dot leads into objects (realm_access.roles). */
  readonly roleClaim: string;
  /** Role of each value of the claim, the highest counts; when empty, the values are names of roles. */
  readonly roles: Readonly<Record<string, Role>>;
  /** "openid profile email" when left out. */
  readonly scope?: string;
}

export interface AccessConfig {
  /** The page is reached by https: cookies go by no other way. */
  readonly secure: boolean;
  readonly oidc?: OidcConfig | undefined;
  /** A session that is not used for so long ends; 8 hours when left out. */
  readonly idleMs?: number;
  /** A session ends after so long in any case; 7 days when left out. */
  readonly sessionMsMax?: number;
  /** scrypt's N, a power of two; 65,536 when left out. */
  readonly passwordCost?: number;
}

export interface AccessOptions {
  readonly database: Database;
  readonly config: AccessConfig;
  readonly clock: Clock;
  readonly logger: Logger;
}
