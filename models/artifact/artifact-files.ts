import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Static, TSchema } from "typebox";
import { Check, Errors } from "typebox/value";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";

const MANIFEST = "manifest.json";
const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** A file of a model has a plain name: it never leads out of the model's folder. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function modelInvalid(message: string, cause?: unknown): EdgeError {
  return new EdgeError("MODEL_INVALID", message, {
    ...(cause === undefined ? {} : { cause }),
    hint: "Put the model's folder back as it was delivered, or train it anew.",
  });
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * The manifest of a model's folder, <name>/<version>/.
 * @throws EdgeError MODEL_INVALID when it is missing, no JSON, or not of the schema
 */
export function readManifest<Schema extends TSchema>(folder: string, schema: Schema): Static<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(readBounded(join(folder, MANIFEST))).toString("utf8"));
  } catch (error) {
    throw modelInvalid(`${join(folder, MANIFEST)} can't be read: ${messageOf(error)}`, error);
  }
  if (Check(schema, json)) return json as Static<Schema>;
  const [first] = Errors(schema, json);
  const where = first === undefined || first.instancePath === "" ? "" : ` at ${first.instancePath}`;
  throw modelInvalid(`${join(folder, MANIFEST)} is no manifest that this version knows${where}: ${first?.message}`);
}

/** @throws EdgeError MODEL_INVALID when the file is missing, of another length, or altered */
export function readVerified(folder: string, file: { name: string; bytes: number; sha256: string }): Uint8Array {
  const path = join(folder, file.name);
  if (!PLAIN_NAME.test(file.name)) throw modelInvalid(`a file of the model in ${folder} has no plain name`);
  let bytes: Uint8Array;
  try {
    bytes = readBounded(path);
  } catch (error) {
    throw modelInvalid(`${path} can't be read: ${messageOf(error)}`, error);
  }
  if (bytes.length !== file.bytes) throw modelInvalid(`${path} has ${bytes.length} bytes in place of ${file.bytes}`);
  if (sha256Of(bytes) !== file.sha256) throw modelInvalid(`${path} was altered: its sha256 is not the manifest's`);
  return bytes;
}

export function writeManifest(folder: string, manifest: object): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

function readBounded(path: string): Uint8Array {
  const { size } = statSync(path);
  if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes are more than a model may have`);
  return readFileSync(path);
}
