import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { RestContext } from "../rest-context.ts";

const config = { access: { right: "RegistryRead" } } as const;

/** How many devices there are, and how many are connected. */
export function statisticsRoutes({ hub }: RestContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/statistics/devices", { config }, () => {
      const { total, enabled, disabled } = hub.registry.count();
      return { totalDeviceCount: total, enabledDeviceCount: enabled, disabledDeviceCount: disabled };
    });
    app.get("/statistics/service", { config }, () => ({ connectedDeviceCount: hub.registry.count().connected }));
  };
}
