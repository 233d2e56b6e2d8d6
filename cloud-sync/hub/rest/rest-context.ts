import type { Hub, Right } from "../ports.ts";
import type { HubServices } from "../services/hub-services.ts";

/** What every route works on. */
export interface RestContext {
  readonly hub: Hub;
  readonly services: HubServices;
}

/** Who may call a route: a service whose policy has the right, or, where it says so, a module too. */
export interface Access {
  readonly right: Right;
  readonly modulesToo?: boolean;
}

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
}
