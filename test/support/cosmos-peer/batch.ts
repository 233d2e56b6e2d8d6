import { writeCharge } from "./charge.ts";
import { type Collection, ITEM_BYTES_MAX, type KeptItem, type SentItem } from "./collection.ts";
import { Refusal } from "./refusal.ts";
import { type PeerRequest, partitionKeyOfHeader } from "./request.ts";

const OPERATIONS_MAX = 100;
const FAILED_BECAUSE_OF_ANOTHER = 424;

interface SentOperation {
  readonly operationType: string;
  readonly id?: string;
  readonly ifMatch?: string;
  readonly resourceBody?: SentItem;
}

interface OperationResult {
  readonly statusCode: number;
  readonly requestCharge: number;
  readonly eTag?: string;
}

export interface BatchAnswer {
  /** 200, or 207 when an operation failed and nothing was done. */
  readonly status: number;
  readonly results: readonly OperationResult[];
  readonly charge: number;
}

/** A transactional batch: all operations of one partition key, or none. @throws Refusal 400, 413 */
export function runBatch(collection: Collection, request: PeerRequest): BatchAnswer {
  if (request.headers["x-ms-cosmos-batch-atomic"]?.toString().toLowerCase() !== "true")
    throw new Refusal(400, "Only atomic batches are spoken here.");
  const partitionKey = partitionKeyOfHeader(request);
  if (Buffer.byteLength(request.body) > ITEM_BYTES_MAX) throw new Refusal(413, "Request size is too large");
  const operations = request.json as readonly SentOperation[];
  if (!Array.isArray(operations) || operations.length === 0 || operations.length > OPERATIONS_MAX)
    throw new Refusal(400, "Batch request must have between 1 and 100 operations.");
  const lsn = collection.nextLsn();
  // What the batch has made of the partition so far; undefined: removed.
  const written = new Map<string, KeptItem | undefined>();
  const results: OperationResult[] = [];
  for (const operation of operations) {
    const result = runOperation(collection, partitionKey, operation, written, lsn);
    results.push(result);
    if (result.statusCode >= 400) {
      const failed = operations.map((_, index) =>
        index === results.length - 1 ? result : { statusCode: FAILED_BECAUSE_OF_ANOTHER, requestCharge: 0 },
      );
      return { status: 207, results: failed, charge: results.reduce((sum, one) => sum + one.requestCharge, 0) };
    }
  }
  for (const [id, item] of written) {
    if (item === undefined) collection.remove(partitionKey, id);
    else collection.put(item);
  }
  return { status: 200, results, charge: results.reduce((sum, one) => sum + one.requestCharge, 0) };
}

function runOperation(
  collection: Collection,
  partitionKey: string,
  operation: SentOperation,
  written: Map<string, KeptItem | undefined>,
  lsn: number,
): OperationResult {
  const id = operation.resourceBody?.id ?? operation.id ?? "";
  const before = written.has(id) ? written.get(id) : collection.get(partitionKey, id);
  const failed = (statusCode: number): OperationResult => ({ statusCode, requestCharge: 1 });
  const isCreate = operation.operationType === "Create";
  if (isCreate && before !== undefined) return failed(409);
  if ((operation.operationType === "Replace" || operation.operationType === "Delete") && before === undefined)
    return failed(404);
  if (operation.ifMatch !== undefined && operation.ifMatch !== before?.etag) return failed(412);
  if (operation.operationType === "Delete") {
    written.set(id, undefined);
    return { statusCode: 204, requestCharge: writeCharge(0, before?.bytes) };
  }
  if (!["Create", "Replace", "Upsert"].includes(operation.operationType) || operation.resourceBody === undefined)
    throw new Refusal(400, `No operation: ${operation.operationType}`);
  if (operation.operationType === "Replace" && operation.id !== id) return failed(400);
  try {
    const item = collection.prepare(partitionKey, operation.resourceBody, lsn);
    written.set(id, item);
    return {
      statusCode: before === undefined ? 201 : 200,
      requestCharge: writeCharge(item.bytes, before?.bytes),
      eTag: item.etag,
    };
  } catch (error) {
    if (error instanceof Refusal) return failed(error.status);
    throw error;
  }
}
