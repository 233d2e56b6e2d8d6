import { queryCharge } from "./charge.ts";
import { type Collection, type KeptItem, wireOf } from "./collection.ts";
import { Refusal } from "./refusal.ts";
import { type PeerRequest, partitionKeyOfHeader } from "./request.ts";

/** The one form of query that is spoken: ids of a partition between two bounds, in their order. */
const FORM = /^SELECT \* FROM c WHERE c\.id > (@\w+)(?: AND c\.id <= (@\w+))? ORDER BY c\.id$/;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;
const PAGE_ITEMS_MAX = 1_000;

export interface Page {
  readonly items: readonly Record<string, unknown>[];
  readonly continuation: string | undefined;
  readonly charge: number;
}

/** @throws Refusal 400 of another query, or one without a partition key */
export function runQuery(collection: Collection, request: PeerRequest): Page {
  if (request.headers["content-type"] !== "application/query+json") throw new Refusal(400, "No query's content type.");
  const { query, parameters } = request.json as {
    query: string;
    parameters: readonly { readonly name: string; readonly value: string }[];
  };
  const form = FORM.exec(query);
  if (form === null) throw new Refusal(400, `Not spoken here: ${query}`);
  const partitionKey = partitionKeyOfHeader(request);
  const parameterOf = (name: string | undefined): string | undefined =>
    parameters.find((one) => one.name === name)?.value;
  const after = String(request.headers["x-ms-continuation"] ?? parameterOf(form[1]) ?? "");
  const to = parameterOf(form[2]);
  const found = [...collection.items(partitionKey)]
    .filter(({ content: { id } }) => Buffer.compare(Buffer.from(id), Buffer.from(after)) > 0)
    .filter(({ content: { id } }) => to === undefined || Buffer.compare(Buffer.from(id), Buffer.from(to)) <= 0)
    .sort((a, b) => Buffer.compare(Buffer.from(a.content.id), Buffer.from(b.content.id)));
  const limit = Number(request.headers["x-ms-max-item-count"] ?? PAGE_ITEMS_MAX);
  const page = firstOf(found, limit);
  const last = page.at(-1);
  return {
    items: page.map(wireOf),
    continuation: last !== undefined && page.length < found.length ? last.content.id : undefined,
    charge: queryCharge(page.reduce((sum, { bytes }) => sum + bytes, 0)),
  };
}

/** As many as a page holds; one at least. */
function firstOf(items: readonly KeptItem[], limit: number): readonly KeptItem[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += item.bytes;
    return index > 0 && (index >= limit || bytes > PAGE_BYTES_MAX);
  });
  return end < 0 ? items : items.slice(0, end);
}
