import { runBatch } from "./batch.ts";
import { readCharge, writeCharge } from "./charge.ts";
import { Collection, type CollectionDefinition, type SentItem, wireOf } from "./collection.ts";
import { readFeed } from "./feed.ts";
import { runQuery } from "./query.ts";
import { Refusal } from "./refusal.ts";
import { type PeerRequest, partitionKeyOfHeader } from "./request.ts";

export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly charge?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AccountOptions {
  /** Physical partitions of a new container. */
  readonly rangeCount: number;
  readonly nowMs: () => number;
}

const OWNER_MISSING = 1003;
/** What one change of an account's databases or containers costs, about. */
const DEFINITION_UNITS = 5;

/** Databases with their containers. */
export class Account {
  readonly #options: AccountOptions;
  readonly #databases = new Map<string, Map<string, Collection>>();
  /** RU/s that databases were made with. */
  readonly autoscaleMax = new Map<string, number>();

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** @throws Refusal 404 */
  collection(databaseId: string, collectionId: string): Collection {
    const found = this.#database(databaseId, OWNER_MISSING).get(collectionId);
    if (found === undefined) throw new Refusal(404, "Resource Not Found.", OWNER_MISSING);
    return found;
  }

  answer(request: PeerRequest): Answer {
    const [, databaseId = "", , collectionId = "", , itemId = ""] = request.segments;
    const shape = `${request.method} /${request.segments.map((segment, index) => (index % 2 === 0 ? segment : "*")).join("/")}`;
    switch (shape) {
      case "POST /dbs":
        return this.#createDatabase(request);
      case "GET /dbs/*":
        this.#database(databaseId);
        return { status: 200, json: { id: databaseId, _rid: databaseId }, charge: 1 };
      case "POST /dbs/*/colls":
        return this.#createCollection(databaseId, request);
      case "GET /dbs/*/colls/*":
        return { status: 200, json: definitionOnWire(this.#found(databaseId, collectionId)), charge: 1 };
      case "PUT /dbs/*/colls/*":
        return replaceDefinition(this.#found(databaseId, collectionId), request);
      case "GET /dbs/*/colls/*/pkranges": {
        const { ranges, rid } = this.collection(databaseId, collectionId);
        return { status: 200, json: { _rid: rid, PartitionKeyRanges: ranges.all(), _count: ranges.all().length } };
      }
      case "POST /dbs/*/colls/*/docs":
        return post(this.collection(databaseId, collectionId), request);
      case "GET /dbs/*/colls/*/docs":
        return feed(this.collection(databaseId, collectionId), request);
      case "GET /dbs/*/colls/*/docs/*":
        return read(this.collection(databaseId, collectionId), request, itemId);
      case "DELETE /dbs/*/colls/*/docs/*":
        return remove(this.collection(databaseId, collectionId), request, itemId);
      default:
        throw new Refusal(405, `Not spoken here: ${shape}`);
    }
  }

  #createDatabase({ json, headers }: PeerRequest): Answer {
    const { id } = json as { id: string };
    if (this.#databases.has(id)) throw new Refusal(409, "Resource with specified id already exists.");
    this.#databases.set(id, new Map());
    const autopilot = headers["x-ms-cosmos-offer-autopilot-settings"];
    if (typeof autopilot === "string")
      this.autoscaleMax.set(id, (JSON.parse(autopilot) as { maxThroughput: number }).maxThroughput);
    return { status: 201, json: { id, _rid: id }, charge: DEFINITION_UNITS };
  }

  #createCollection(databaseId: string, request: PeerRequest): Answer {
    const collections = this.#database(databaseId, OWNER_MISSING);
    const definition = checkedDefinition(request.json);
    if (collections.has(definition.id)) throw new Refusal(409, "Resource with specified id already exists.");
    const made = new Collection(definition, this.#options.rangeCount, this.#options.nowMs);
    collections.set(definition.id, made);
    return { status: 201, json: definitionOnWire(made), charge: DEFINITION_UNITS };
  }

  #database(id: string, subStatus?: number): Map<string, Collection> {
    const found = this.#databases.get(id);
    if (found === undefined) throw new Refusal(404, "Resource Not Found.", subStatus);
    return found;
  }

  #found(databaseId: string, collectionId: string): Collection {
    const found = this.#database(databaseId, OWNER_MISSING).get(collectionId);
    if (found === undefined) throw new Refusal(404, "Resource Not Found.");
    return found;
  }
}

function checkedDefinition(json: unknown): CollectionDefinition {
  const definition = json as CollectionDefinition;
  const { paths, version } = definition.partitionKey ?? {};
  if (paths?.length !== 1 || version !== 2) throw new Refusal(400, "Only one path of version 2 keys is spoken here.");
  const { includedPaths = [], excludedPaths = [] } = definition.indexingPolicy ?? {};
  if (![...includedPaths, ...excludedPaths].some(({ path }) => path === "/*"))
    throw new Refusal(400, 'The special mandatory indexing path "/" is not provided.');
  return definition;
}

/** With the path that Azure adds by itself. */
function definitionOnWire({ definition, rid }: Collection): unknown {
  const { indexingPolicy } = definition;
  const excludedPaths = [...(indexingPolicy?.excludedPaths ?? []), { path: '/"_etag"/?' }];
  return {
    ...definition,
    indexingPolicy: { ...indexingPolicy, excludedPaths },
    _rid: rid,
    _etag: '"0"',
    _ts: 0,
    _self: "",
  };
}

function replaceDefinition(collection: Collection, request: PeerRequest): Answer {
  const wanted = checkedDefinition(request.json);
  if (wanted.partitionKey.paths.join() !== collection.definition.partitionKey.paths.join())
    throw new Refusal(400, "Document collection partition key cannot be changed.");
  const { id, partitionKey, indexingPolicy, defaultTtl } = wanted;
  collection.definition = {
    id,
    partitionKey,
    ...(indexingPolicy && { indexingPolicy }),
    ...(defaultTtl !== undefined && { defaultTtl }),
  };
  return { status: 200, json: definitionOnWire(collection), charge: DEFINITION_UNITS };
}

function post(collection: Collection, request: PeerRequest): Answer {
  const { headers } = request;
  if (headers["x-ms-cosmos-is-query-plan-request"] !== undefined)
    return { status: 200, json: { partitionedQueryExecutionInfoVersion: 2, queryInfo: {}, queryRanges: [] } };
  if (headers["x-ms-cosmos-is-batch-request"] !== undefined) {
    const { status, results, charge } = runBatch(collection, request);
    return { status, json: results, charge };
  }
  if (headers["x-ms-documentdb-isquery"] !== undefined) {
    const { items, continuation, charge } = runQuery(collection, request);
    return {
      status: 200,
      json: { _rid: collection.rid, Documents: items, _count: items.length },
      charge,
      ...(continuation === undefined ? {} : { headers: { "x-ms-continuation": continuation } }),
    };
  }
  return create(collection, request);
}

function create(collection: Collection, request: PeerRequest): Answer {
  const content = request.json as SentItem;
  const partitionKey = partitionKeyOfHeader(request);
  const before = collection.get(partitionKey, content.id);
  if (before !== undefined && request.headers["x-ms-documentdb-is-upsert"] === undefined)
    throw new Refusal(409, "Resource with specified id already exists.");
  const item = collection.prepare(partitionKey, content, collection.nextLsn());
  collection.put(item);
  return {
    status: before === undefined ? 201 : 200,
    json: wireOf(item),
    charge: writeCharge(item.bytes, before?.bytes),
    headers: { etag: item.etag },
  };
}

function read(collection: Collection, request: PeerRequest, id: string): Answer {
  const item = collection.get(partitionKeyOfHeader(request), id);
  if (item === undefined) throw new Refusal(404, "Resource Not Found.", undefined, { "x-ms-request-charge": "1" });
  return { status: 200, json: wireOf(item), charge: readCharge(item.bytes), headers: { etag: item.etag } };
}

function remove(collection: Collection, request: PeerRequest, id: string): Answer {
  const partitionKey = partitionKeyOfHeader(request);
  const item = collection.get(partitionKey, id);
  if (item === undefined) throw new Refusal(404, "Resource Not Found.");
  collection.remove(partitionKey, id);
  return { status: 204, charge: writeCharge(0, item.bytes) };
}

function feed(collection: Collection, request: PeerRequest): Answer {
  if (request.headers["a-im"] === undefined) throw new Refusal(400, "Reading all documents is not spoken here.");
  const { status, items, etag, charge } = readFeed(collection, request);
  const json = status === 304 ? undefined : { _rid: collection.rid, Documents: items, _count: items.length };
  return { status, ...(json && { json }), charge, headers: { etag } };
}
