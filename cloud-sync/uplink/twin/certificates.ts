import { X509Certificate } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { UplinkConfig } from "../../../edge/kernel/config/model.ts";
import type { JsonObject } from "../../contract/event.ts";

/** Certificates told of; a box has two or three. */
const CERTIFICATES_MAX = 10;
const SUBJECT_CHARACTERS_MAX = 200;

/** The certificates that this box proves itself by, with their end: the OPC UA client's own and the uplink's. */
export async function certificateFacts(pkiPath: string, { identity, caPath }: UplinkConfig): Promise<JsonObject> {
  const facts: Record<string, JsonObject> = {};
  const files: [string, string][] = [];
  if (identity.kind === "x509") files.push(["uplink", identity.certificatePath]);
  if (caPath !== undefined) files.push(["hubAuthority", caPath]);
  const folder = join(pkiPath, "own", "certs");
  const own = (await readdir(folder).catch(() => [])).sort();
  for (const [at, name] of own.entries()) files.push([at === 0 ? "opcua" : `opcua${at + 1}`, join(folder, name)]);
  for (const [use, path] of files.slice(0, CERTIFICATES_MAX)) {
    const fact = await factOf(path);
    if (fact !== undefined) facts[use] = fact;
  }
  return facts;
}

async function factOf(path: string): Promise<JsonObject | undefined> {
  try {
    const { subject, validToDate } = new X509Certificate(await readFile(path));
    return {
      subject: subject.replaceAll("\n", ", ").slice(0, SUBJECT_CHARACTERS_MAX),
      expires: validToDate.toISOString(),
    };
  } catch {
    // Not there, or no certificate: other parts say so, with what to do.
    return undefined;
  }
}
