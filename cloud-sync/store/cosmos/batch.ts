import { ErrorResponse, type JSONObject, type OperationInput, type OperationResponse } from "@azure/cosmos";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { documentBytes, isDocumentId } from "../document-bytes.ts";
import { type CommitResult, OPERATIONS_MAX, type Operation, type Partition, type Transaction } from "../event-store.ts";
import { itemOf } from "./item.ts";
import { itemIdOf } from "./item-id.ts";

/** @throws EdgeError STORE_REFUSED of a transaction that is none: it would fail again and again */
export function checkTransaction({ partition, operations }: Transaction): void {
  const ids = new Set(operations.map(idOf));
  const wrong =
    operations.length > OPERATIONS_MAX
      ? `${operations.length} operations`
      : ids.size < operations.length
        ? "an id twice"
        : operations.some((operation) => !isDocumentId(idOf(operation)))
          ? "an id that is empty, too long or no text"
          : partition.stream.isWellFormed() && partition.part.isWellFormed()
            ? undefined
            : "a partition whose name is no text";
  if (wrong !== undefined) throw new EdgeError("STORE_REFUSED", `a transaction with ${wrong}`);
}

/** An operation of a transactional batch. */
export function batchOperationOf(partition: Partition, operation: Operation): OperationInput {
  const id = itemIdOf(idOf(operation));
  if (operation.op === "remove")
    return { operationType: "Delete", id, ...(operation.etag === undefined ? {} : { ifMatch: operation.etag }) };
  // A copy, for the SDK writes into what it is given.
  const resourceBody: JSONObject = { ...itemOf(partition, operation.document) };
  if (operation.op === "create") return { operationType: "Create", resourceBody };
  if (operation.op === "upsert") return { operationType: "Upsert", resourceBody };
  return { operationType: "Replace", id, resourceBody, ifMatch: operation.etag };
}

/** What became of a batch. gone: nothing was done because there is nothing at this index to remove, which is no failure. */
export type BatchOutcome = CommitResult | { readonly status: "gone"; readonly index: number };

const FAILED_BECAUSE_OF_ANOTHER = 424;

/** @throws ErrorResponse with the status of what concerns not this transaction but the account */
export function outcomeOf(operations: readonly Operation[], responses: readonly OperationResponse[]): BatchOutcome {
  const index = responses.findIndex(({ statusCode }) => statusCode >= 400 && statusCode !== FAILED_BECAUSE_OF_ANOTHER);
  const failed = responses[index];
  const operation = operations[index];
  if (failed === undefined || operation === undefined)
    return {
      status: "done",
      etags: operations.map((one, at) => (one.op === "remove" ? "" : (responses[at]?.eTag ?? ""))),
    };
  const { statusCode } = failed;
  if (statusCode === 404 && operation.op === "remove" && operation.etag === undefined) return { status: "gone", index };
  if (statusCode === 409) return { status: "exists", index };
  if (statusCode === 404 || statusCode === 412) return { status: "changed", index };
  if (statusCode === 413) return { status: "too-large", index };
  throw Object.assign(new ErrorResponse("an operation of a batch failed"), {
    code: statusCode,
  });
}

/** Of a request that was too large as a whole: the operation that has most to do with it. */
export function largestOf(operations: readonly Operation[]): number {
  const bytes = operations.map((operation) => (operation.op === "remove" ? 0 : documentBytes(operation.document)));
  return bytes.indexOf(Math.max(...bytes));
}

function idOf(operation: Operation): string {
  return operation.op === "remove" ? operation.id : operation.document.id;
}
