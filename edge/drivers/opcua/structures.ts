import type { ClientSession, DataValue } from "node-opcua-client";
import { promoteOpaqueStructure } from "node-opcua-client-dynamic-extension-object";
import { within } from "./services.ts";

const DECODE_MS = 5_000;

/** Decodes the server's own structures by the type definitions it publishes. What stays opaque becomes its raw bytes. */
export async function decodeStructures(session: ClientSession, values: readonly DataValue[]): Promise<void> {
  await within(promoteOpaqueStructure(session, [...values]), DECODE_MS);
}
