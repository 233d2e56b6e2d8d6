import { parentPort, workerData } from "node:worker_threads";
import { openLogReader } from "../reader.ts";
import { SealEncoder } from "./seal-encoder.ts";

// A thread of its own for the encoding of a seal: it takes seconds of computing and tens of megabytes, which the thread
// that collects must neither wait for nor keep. It reads the closed chunks by itself and sends each machine's blocks.
const { path, closedChunk } = workerData as { path: string; closedChunk: number };
const log = openLogReader(path);
const encoder = log.examine(
  ({ database, tail, epochs }) => new SealEncoder(database, tail, (offset) => epochs.of(offset)),
);
// Another process may have sealed them meanwhile: then there is nothing to do here, and nothing to be said.
if (encoder.closedChunk === closedChunk) {
  for (let work = encoder.next(); work; work = encoder.next()) parentPort?.postMessage(work);
  parentPort?.postMessage("all");
}
log.close();
