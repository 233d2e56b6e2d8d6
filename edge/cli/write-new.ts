import { writeFileSync } from "node:fs";
import { EdgeError } from "../kernel/errors.ts";

/** Writes a file that must not be there yet. @throws EdgeError USAGE */
export function writeNew(path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(path, content, { flag: "wx" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw new EdgeError("USAGE", `${path} is there already`, { hint: "Name another file." });
    throw new EdgeError("USAGE", `can't write ${path}: ${message}`, {
      cause: error,
      hint: "Name a folder that is there.",
    });
  }
}
