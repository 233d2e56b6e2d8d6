import type { Hub, Right } from "../ports.ts";
import type { HubServices } from "../services/hub-services.ts";

/** What every route works on. */
export interface RestContext {
  readonly hub: Hub;
  readonly services: HubServices;
}

/** Who may call a route: a service whose policy has the right, the device or module of the path, or either of them. */
export type Access =
  | { readonly right: Right }
  | { readonly as: "identity" }
  | { readonly right: Right; readonly as: "module" };

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
}
