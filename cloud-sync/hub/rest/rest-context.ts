import type { Hub, Right } from "../ports.ts";
import type { HubServices } from "../services/hub-services.ts";

/** What every route works on. */
export interface RestContext {
  readonly hub: Hub;
  readonly services: HubServices;
}

/** Who may call a route: a service whose policy has the right, where it says so a module too, or the device of the path. */
export type Access = { readonly right: Right; readonly modulesToo?: boolean } | "device";

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
}
