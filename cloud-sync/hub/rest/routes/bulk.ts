import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { HubError } from "../../hub-error.ts";
import type { Hub, Identity, JsonMap } from "../../ports.ts";
import type { RestContext } from "../rest-context.ts";
import { BulkItem } from "../schemas/identity.ts";
import { registryWriteOf } from "../views/identity-view.ts";

const BULK_MAX = 100;

type Apply = (hub: Hub, identity: Identity, item: BulkItem) => void;

const etagOf = ({ eTag, etag }: BulkItem): string => eTag ?? etag ?? "";
const create: Apply = (hub, identity, item) => {
  hub.registry.create(identity, registryWriteOf(item));
  writeTwin(hub, identity, item);
};
const update =
  (ifMatch: (item: BulkItem) => string): Apply =>
  (hub, identity, item) => {
    hub.registry.update(identity, registryWriteOf(item), ifMatch(item));
  };
const anyEtag = (): string => "*";

/** By the mode's name in lower case; "create" when none is given. */
const MODES = new Map<string, Apply>(
  Object.entries<Apply>({
    create,
    update: update(anyEtag),
    updateifmatchetag: update(etagOf),
    createorupdate: (hub, identity, item) =>
      (hub.registry.get(identity) === undefined ? create : update(anyEtag))(hub, identity, item),
    createorupdateifmatchetag: (hub, identity, item) =>
      (hub.registry.get(identity) === undefined ? create : update(etagOf))(hub, identity, item),
    delete: (hub, identity) => hub.registry.remove(identity, "*"),
    deleteifmatchetag: (hub, identity, item) => hub.registry.remove(identity, etagOf(item)),
    updatetwin: (hub, identity, item) => writeTwin(hub, identity, item),
    updatetwinifmatchetag: (hub, identity, item) => writeTwin(hub, identity, item, item.twinETag ?? ""),
  }),
);

/** Up to a hundred identities in one request. Each stands for itself: what fails does not keep the others from being done. */
export function bulkRoutes({ hub }: RestContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/devices",
      {
        schema: { body: Type.Array(BulkItem, { minItems: 1, maxItems: BULK_MAX }) },
        config: { access: { right: "RegistryWrite" } },
      },
      async (request, reply) => {
        const errors: object[] = [];
        for (const item of request.body) {
          // Each is a commit of its own: devices are served in between.
          await new Promise(setImmediate);
          const identity = { deviceId: item.id, ...(item.moduleId ? { moduleId: item.moduleId } : {}) };
          try {
            applyOne(hub, identity, item);
          } catch (error) {
            if (!(error instanceof HubError)) throw error;
            errors.push({ ...identity, errorCode: error.code, errorStatus: error.message });
          }
        }
        const isSuccessful = errors.length === 0;
        if (!isSuccessful) reply.code(400).header("iothub-errorcode", "BulkRegistryOperationFailure");
        return reply.send({ isSuccessful, errors, warnings: [] });
      },
    );
  };
}

function applyOne(hub: Hub, identity: Identity, item: BulkItem): void {
  const mode = item.importMode ?? "create";
  const apply = MODES.get(mode.toLowerCase());
  if (apply === undefined) throw new HubError("ArgumentInvalid", `no import mode "${mode}"`);
  apply(hub, identity, item);
}

function writeTwin(hub: Hub, identity: Identity, { tags, properties }: BulkItem, ifMatch = "*"): void {
  const desired = properties?.desired;
  if (!tags && !desired) return;
  const change = { ...(tags ? { tags: tags as JsonMap } : {}), ...(desired ? { desired: desired as JsonMap } : {}) };
  hub.twins.write(identity, change, "patch", ifMatch);
}
