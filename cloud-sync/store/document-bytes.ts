import {
  DOCUMENT_BYTES_MAX,
  ID_BYTES_MAX,
  type NewDocument,
  type Operation,
  TRANSACTION_BYTES_MAX,
} from "./event-store.ts";

/** What a document counts against the limits of the stores: id, fields as JSON, body. */
export function documentBytes(document: NewDocument): number {
  return (
    Buffer.byteLength(document.id) +
    Buffer.byteLength(JSON.stringify(document.fields)) +
    (document.body?.byteLength ?? 0)
  );
}

/** The index of the operation that makes a transaction too large for any store; undefined when it fits. */
export function tooLargeIndex(operations: readonly Operation[]): number | undefined {
  let bytes = 0;
  for (const [index, operation] of operations.entries()) {
    if (operation.op === "remove") continue;
    const own = documentBytes(operation.document);
    bytes += own;
    if (own > DOCUMENT_BYTES_MAX || bytes > TRANSACTION_BYTES_MAX) return index;
  }
  return undefined;
}

/** Whether every store can keep a document under this id. */
export function isDocumentId(id: string): boolean {
  return id !== "" && id.isWellFormed() && Buffer.byteLength(id) <= ID_BYTES_MAX;
}
