import { EdgeError } from "../../edge/kernel/errors.ts";
import { LAKE_KINDS, type LakeKind } from "./columns.ts";
import type { LakeCatalog, LakeFile } from "./lake-catalog.ts";
import { dayOf } from "./partition.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { PARQUET } from "./place/lake-files.ts";

export const MANIFEST_PATH = "_manifest/files.json";
const FORMAT = "tailstock-lake";
const VERSION = 1;
/** Near the beginning; found in a damaged manifest, too. */
const OWNER = /"lake":"(?<id>[0-9a-f-]{36})"/;

/**
 * Writes the list of the lake's files into the lake, after each change. Readers go by it and need no database: between the commit and
 * this they see the state before, whose files are all still there.
 */
export async function writeManifest(catalog: LakeCatalog, files: LakeFiles, signal: AbortSignal): Promise<void> {
  const lake = await catalog.identity();
  await catalog.withFiles(async (list) => {
    const lines = list.map((file) => JSON.stringify(file));
    const text = `{"format":"${FORMAT}","version":${VERSION},"lake":${JSON.stringify(lake)},"files":[\n${lines.join(",\n")}\n]}\n`;
    await files.writeText(MANIFEST_PATH, text, signal);
  });
}

/**
 * Proves that a lake is this database's: another one, as after a loss, knows nothing of the files that are there, and would write the
 * events of its feed a second time.
 * @throws EdgeError LAKE_UNAVAILABLE when it is another's
 */
export async function proveOwnLake(catalog: LakeCatalog, files: LakeFiles, signal: AbortSignal): Promise<void> {
  const text = await files.readText(MANIFEST_PATH, signal);
  const owner = text === undefined ? undefined : OWNER.exec(text)?.groups?.id;
  const own = await catalog.identity();
  if (owner === undefined || owner === own) return;
  throw new EdgeError("LAKE_UNAVAILABLE", `the lake ${files.name} was written from another database`, {
    hint: "Name another folder, container or prefix: the files there stay as they are and can be asked by tailstock lake query.",
  });
}

/**
 * The files of a lake. Without a manifest, as of a copy of some partitions, those that are there.
 * @throws EdgeError LAKE_UNAVAILABLE when the manifest is damaged
 */
export async function readManifest(files: LakeFiles, signal: AbortSignal): Promise<readonly LakeFile[]> {
  const text = await files.readText(MANIFEST_PATH, signal);
  if (text === undefined) return (await files.list(signal)).flatMap(guessed);
  try {
    const manifest: unknown = JSON.parse(text);
    if (isManifest(manifest)) return manifest.files;
  } catch {
    // As one that is of another form.
  }
  throw new EdgeError(
    "LAKE_UNAVAILABLE",
    `${MANIFEST_PATH} of the lake ${files.name} is no manifest of version ${VERSION}`,
    {
      hint: "A writer that starts writes it anew. Without the file, all Parquet files that are there are read.",
    },
  );
}

function isManifest(value: unknown): value is { files: LakeFile[] } {
  if (typeof value !== "object" || value === null) return false;
  const { format, version, files } = value as Record<string, unknown>;
  return format === FORMAT && version === VERSION && Array.isArray(files) && files.every(isFile);
}

function isFile(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { path, kind, factoryId, rows, bytes } = value as Record<string, unknown>;
  return (
    typeof path === "string" &&
    path.endsWith(PARQUET) &&
    LAKE_KINDS.includes(kind as LakeKind) &&
    typeof factoryId === "string" &&
    Number.isSafeInteger(rows) &&
    Number.isSafeInteger(bytes)
  );
}

/** What a path tells; the sizes it does not. */
function guessed(path: string): LakeFile[] {
  const [, kind, factory = "", date = ""] = /^(\w+)\/factory=([^/]*)\/date=([^/]*)\/[^/]+$/.exec(path) ?? [];
  if (!LAKE_KINDS.includes(kind as LakeKind)) return [];
  const day = dayOf(Date.parse(date));
  return [
    {
      path,
      kind: kind as LakeKind,
      factoryId: decoded(factory),
      day: Number.isNaN(day) ? null : day,
      rows: 0,
      bytes: 0,
      minMs: null,
      maxMs: null,
    },
  ];
}

function decoded(factory: string): string {
  try {
    return decodeURIComponent(factory);
  } catch {
    return factory;
  }
}
