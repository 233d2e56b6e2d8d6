import { EdgeError } from "../../../edge/kernel/errors.ts";
import { isDocumentId } from "../document-bytes.ts";
import { OPERATIONS_MAX, type Operation, type Partition, type Transaction } from "../event-store.ts";

/** An entry of an index is within a third of a page (2,704 bytes). */
const NAME_BYTES_MAX = 2_600;

export function idOf(operation: Operation): string {
  return operation.op === "remove" ? operation.id : operation.document.id;
}

/** @throws EdgeError STORE_REFUSED when the transaction can never be done, whatever is stored */
export function checkTransaction({ partition, operations }: Transaction): void {
  const ids = new Set(operations.map(idOf));
  if (operations.length > OPERATIONS_MAX)
    throw refusal(partition, `a transaction of ${operations.length} operations, more than ${OPERATIONS_MAX}`);
  if (ids.size < operations.length) throw refusal(partition, "a transaction that names a document twice");
  for (const id of ids) {
    if (!isDocumentId(id) || id.includes("\0")) throw refusal(partition, `the id ${JSON.stringify(id.slice(0, 100))}`);
  }
  const names = `${partition.stream}${partition.part}`;
  const longest = Math.max(0, ...[...ids].map((id) => Buffer.byteLength(id)));
  if (names.includes("\0") || !names.isWellFormed() || Buffer.byteLength(names) + longest > NAME_BYTES_MAX)
    throw refusal(partition, "a name with a NUL, half a character, or more bytes than an index takes");
}

function refusal(partition: Partition, what: string): EdgeError {
  const { stream, part } = partition;
  return new EdgeError("STORE_REFUSED", `the store does not take ${what} (${stream.slice(0, 100)}, ${part})`);
}
