import { type ContainerDefinition, type CosmosClient, type IndexingPolicy, PartitionKeyKind } from "@azure/cosmos";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { CONTAINERS, type Container } from "../event-store.ts";
import { refusalOf } from "./cosmos-error.ts";
import { PARTITION_KEY_PATH } from "./partition-key.ts";

const CONFLICT = 409;
/** Database and containers, each of which another process may make first. */
const ATTEMPTS_MAX = 5;
const SECONDS_PER_DAY = 86_400;
/** Seconds that documents are kept which do not say themselves; undefined: for ever. */
const TTL_SECONDS: Readonly<Record<Container, number | undefined>> = {
  telemetry: 30 * SECONDS_PER_DAY,
  scored_telemetry: 30 * SECONDS_PER_DAY,
  metadata: undefined,
};

/** Nothing but what finds a partition; id and _ts are always indexed. */
const INDEXING: IndexingPolicy = {
  indexingMode: "consistent",
  automatic: true,
  includedPaths: [{ path: `${PARTITION_KEY_PATH}/?` }],
  excludedPaths: [{ path: "/*" }],
};

function definitionOf(container: Container): ContainerDefinition {
  const defaultTtl = TTL_SECONDS[container];
  return {
    id: container,
    partitionKey: { paths: [PARTITION_KEY_PATH], kind: PartitionKeyKind.Hash, version: 2 },
    indexingPolicy: INDEXING,
    ...(defaultTtl === undefined ? {} : { defaultTtl }),
  };
}

/**
 * Makes database and containers where they are missing, and puts right how long they keep and what they index.
 * @param autoscaleMax RU/s that the containers share, when the database is made here
 * @throws EdgeError STORE_REFUSED when a container of the name is divided by something else
 */
export async function ensureContainers(
  client: CosmosClient,
  database: string,
  autoscaleMax: number | undefined,
): Promise<void> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await ensureOnce(client, database, autoscaleMax);
    } catch (error) {
      // Another process made the same between our look and our making.
      if (refusalOf(error).status !== CONFLICT || attempts === ATTEMPTS_MAX) throw error;
    }
  }
}

async function ensureOnce(client: CosmosClient, database: string, autoscaleMax: number | undefined): Promise<void> {
  const made = await client.databases.createIfNotExists({
    id: database,
    ...(autoscaleMax === undefined ? {} : { maxThroughput: autoscaleMax }),
  });
  for (const id of CONTAINERS) {
    const wanted = definitionOf(id);
    const { container, resource } = await made.database.containers.createIfNotExists(wanted);
    if (resource === undefined) continue;
    if (resource.partitionKey?.paths.join() !== PARTITION_KEY_PATH)
      throw new EdgeError(
        "STORE_REFUSED",
        `container ${id} of database ${database} is not divided by ${PARTITION_KEY_PATH}`,
        {
          hint: "It was made by something else: name another database.",
        },
      );
    if (resource.defaultTtl === wanted.defaultTtl && isIndexedAsWanted(resource.indexingPolicy)) continue;
    const { defaultTtl: _, ...rest } = resource;
    await container.replace({ ...rest, ...wanted, partitionKey: resource.partitionKey });
  }
}

function isIndexedAsWanted(policy: IndexingPolicy | undefined): boolean {
  const included = (policy?.includedPaths ?? []).map(({ path }) => path);
  const excluded = (policy?.excludedPaths ?? []).map(({ path }) => path);
  return included.join() === `${PARTITION_KEY_PATH}/?` && excluded.includes("/*");
}
