// Loaded before a program (node --import): its wall clock is off by what the file says, and follows when the file changes.
import { readFileSync } from "node:fs";

const path = process.env.TAILSTOCK_TEST_SKEW_FILE;
const LOOK_MS = 50;
const now = Date.now.bind(Date);
let skewMs = 0;
function look() {
  try {
    skewMs = Number(readFileSync(path, "utf8")) || 0;
  } catch {
    skewMs = 0;
  }
}
if (path) {
  look();
  setInterval(look, LOOK_MS).unref();
  const Plain = Date;
  globalThis.Date = class SkewedDate extends Plain {
    constructor(...parts) {
      if (parts.length === 0) super(now() + skewMs);
      else super(...parts);
    }
    static now() {
      return now() + skewMs;
    }
  };
}
