import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { type Static, Type } from "typebox";
import { EdgeError } from "../../../../edge/kernel/errors.ts";
import type { EventStore, FeedPage, StoredDocument } from "../../../store/event-store.ts";
import type { MetadataState } from "../../../store/metadata-document.ts";
import type { Access } from "../../access/access.ts";
import { Failure } from "../../http/failure.ts";
import { addFailures } from "../../http/failures.ts";
import { addValidation } from "../../http/validation.ts";
import { QUERY_DOCUMENTATION } from "../plugins/failures.ts";
import {
  CHANGES_LIMIT_MAX,
  type ChangedDocument,
  ChangesPage,
  ChangesRanges,
  FOLLOWED_CONTAINERS,
  type FollowedContainer,
} from "./schema.ts";

const Container = Type.Object({ container: Type.Union(FOLLOWED_CONTAINERS.map((name) => Type.Literal(name))) });
const Asked = Type.Object(
  {
    range: Type.String({ minLength: 1, maxLength: 500 }),
    continuation: Type.Optional(Type.String({ minLength: 1, maxLength: 16_000 })),
    limit: Type.Optional(Type.String({ pattern: "^[1-9][0-9]{0,2}$" })),
    factory: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  },
  { additionalProperties: false },
);
const LIMIT = 50;
const STORE_MS_MAX = 15_000;

export interface ChangesOptions {
  readonly store: EventStore;
  readonly access: Access;
}

/**
 * What has changed in the central office's store, for who follows it: a factory's mirror. A token that is for one factory gets that one's
 * documents, and what concerns all; others those of the factory that they name, or everything.
 */
export function changesRoutes({ store, access }: ChangesOptions): FastifyPluginAsync {
  return async (app) => {
    const closing = new AbortController();
    app.addHook("onClose", async () => closing.abort());
    addFailures(app, QUERY_DOCUMENTATION);
    addValidation(app);
    // Who is not known learns nothing, not even what a question has to look like.
    app.addHook("preValidation", access.require("viewer", { heedsFactory: true }));
    const signal = (): AbortSignal => AbortSignal.any([closing.signal, AbortSignal.timeout(STORE_MS_MAX)]);
    addRanges(app, (container) => store.feedRanges(container, signal()));
    app.get<{ Params: Static<typeof Container>; Querystring: Static<typeof Asked> }>(
      "/api/query/changes/:container",
      {
        schema: {
          summary: "Documents that were written since, newest versions, range by range",
          params: Container,
          querystring: Asked,
          response: { 200: ChangesPage },
        },
      },
      async ({ params: { container }, query, person }): Promise<ChangesPage> => {
        const { range, continuation, limit = String(LIMIT), factory } = query;
        const factoryId = person?.factoryId ?? factory;
        const documentsMax = Math.min(CHANGES_LIMIT_MAX, Number(limit));
        const page = await changes(store, container, { range, continuation, limit: documentsMax }, signal());
        const documents =
          factoryId === undefined ? page.documents : await ofFactory(store, container, factoryId, page, signal());
        return {
          documents: documents.map(wireOf),
          continuation: page.continuation ?? null,
          hasMore: page.hasMore,
        };
      },
    );
  };
}

function addRanges(app: FastifyInstance, rangesOf: (container: FollowedContainer) => Promise<readonly string[]>): void {
  app.get<{ Params: Static<typeof Container> }>(
    "/api/query/changes/:container/ranges",
    {
      schema: {
        summary: "Names of the ranges to follow",
        params: Container,
        response: { 200: ChangesRanges },
      },
    },
    async ({ params: { container } }): Promise<ChangesRanges> => ({ ranges: [...(await rangesOf(container))] }),
  );
}

/** @throws Failure 410 when the store does not know range or continuation: it is another one than gave them */
async function changes(
  store: EventStore,
  container: FollowedContainer,
  { range, continuation, limit }: { range: string; continuation: string | undefined; limit: number },
  signal: AbortSignal,
): Promise<FeedPage> {
  try {
    return await store.changes(container, range, continuation, limit, signal);
  } catch (error) {
    if (!(error instanceof EdgeError && error.code === "STORE_REFUSED")) throw error;
    // What fails at the beginning of a range that is there is a fault of ours.
    if (continuation === undefined && (await store.feedRanges(container, signal)).includes(range)) throw error;
    throw new Failure(410, "CONTINUATION_GONE", "the store does not know this range or continuation", {
      hint: "Ask for the ranges anew and begin at their beginning.",
    });
  }
}

/** An event of metadata does not say which factory it concerns; the state beside it does. */
async function ofFactory(
  store: EventStore,
  container: FollowedContainer,
  factoryId: string,
  { documents }: FeedPage,
  signal: AbortSignal,
): Promise<readonly StoredDocument[]> {
  if (container !== "metadata") return documents.filter(({ fields }) => fields.factoryId === factoryId);
  const events = documents.filter(({ kind }) => kind !== "state");
  const states = await store.get(
    container,
    events.map(({ partition }) => ({ partition, id: "state" })),
    signal,
  );
  const stateOf = new Map(events.map((event, index) => [event, states[index]]));
  return documents.filter((document) => {
    const state = (stateOf.get(document) ?? document).fields as unknown as Partial<MetadataState>;
    return state.factoryId === "" || state.factoryId === factoryId;
  });
}

function wireOf({ partition, id, kind, fields, body, ttl }: StoredDocument): ChangedDocument {
  return {
    ...partition,
    id,
    kind,
    fields,
    ...(body === undefined ? {} : { body: Buffer.from(body).toString("base64") }),
    ...(ttl === undefined ? {} : { ttl }),
  };
}
