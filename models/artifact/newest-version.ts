import { readdirSync } from "node:fs";
import { messageOf } from "../../edge/kernel/errors.ts";
import { modelInvalid } from "./artifact-files.ts";
import { compareVersions } from "./versions.ts";

/** The newest of the versions in a model's folder. @throws EdgeError MODEL_INVALID when there is none */
export function newestVersion(folder: string): string {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw modelInvalid(`${folder} can't be read: ${messageOf(error)}`, error);
  }
  const newest = names
    .filter((name) => /^\d+\.\d+\.\d+$/.test(name))
    .sort(compareVersions)
    .at(-1);
  if (newest === undefined) throw modelInvalid(`${folder} holds no version of a model`);
  return newest;
}

/** The patch version behind the newest of all that lie in the folders; 1.0.0 when there is none. */
export function nextVersion(folders: readonly string[]): string {
  const versions = folders.flatMap((folder) => {
    try {
      return [newestVersion(folder)];
    } catch {
      return [];
    }
  });
  const newest = versions.sort(compareVersions).at(-1);
  if (newest === undefined) return "1.0.0";
  const [major, minor, patch] = newest.split(".").map(Number);
  return `${major}.${minor}.${(patch ?? 0) + 1}`;
}
