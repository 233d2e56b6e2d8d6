import type { FastifyRequest } from "fastify";
import { HubError } from "../hub-error.ts";
import { PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX } from "../query/run-query.ts";

export function textHeader({ headers }: FastifyRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** @throws HubError ArgumentInvalid */
export function pageSizeOf(request: FastifyRequest): number {
  const text = textHeader(request, "x-ms-max-item-count");
  if (text === undefined) return PAGE_ITEMS_DEFAULT;
  const size = Number(text);
  // -1 leaves the size to the hub.
  if (size === -1) return PAGE_ITEMS_DEFAULT;
  if (Number.isInteger(size) && size >= 1) return Math.min(size, PAGE_ITEMS_MAX);
  throw new HubError("ArgumentInvalid", `x-ms-max-item-count is "${text}", expected 1 to ${PAGE_ITEMS_MAX}`);
}
